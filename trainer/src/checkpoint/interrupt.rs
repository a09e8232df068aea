//! Ctrl-C and SIGTERM as a question that stages ask between two steps.
//!
//! The first signal sets a flag: the stage finishes its step, saves, and returns [`Error::Interrupted`]. The second
//! ends the process at once with status 1; what the last checkpoint holds is then what is left. SIGHUP keeps its
//! default, so that `nohup` works as ever.

use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use tokio::signal::unix::{SignalKind, signal};

/// Whether the user asked to stop. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// A flag that only [`Interrupt::request`] sets: for tests and for callers that handle signals themselves.
    pub fn never() -> Interrupt {
        Interrupt::default()
    }

    /// Listens for SIGINT and SIGTERM from now on, in a small thread of its own.
    ///
    /// # Errors
    /// [`Error::Failed`] when the thread or the handlers cannot be set up.
    pub fn install() -> Result<Interrupt> {
        let interrupt = Interrupt::default();
        let flag = interrupt.clone();
        let (ready, is_ready) = mpsc::channel();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || listen(&flag, &ready))
            .map_err(|e| Error::Failed(format!("cannot start the signal thread: {e}")))?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(interrupt),
            Ok(Err(e)) => Err(Error::Failed(format!("cannot listen for signals: {e}"))),
            Err(_) => Err(Error::Failed("the signal thread ended before it was ready".into())),
        }
    }

    /// Whether a stop was asked for.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Asks for a stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// `Err` when a stop was asked for: `interrupt.check()?` after the state is saved.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The thread's body: reports once whether the handlers stand, then waits for signals for ever.
fn listen(flag: &Interrupt, ready: &mpsc::Sender<std::io::Result<()>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let _ = ready.send(Err(e));
            return;
        }
    };
    runtime.block_on(async {
        let handlers = signal(SignalKind::interrupt()).and_then(|i| Ok((i, signal(SignalKind::terminate())?)));
        let (mut interrupt, mut terminate) = match handlers {
            Ok(pair) => pair,
            Err(e) => {
                let _ = ready.send(Err(e));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if flag.requested() {
                tracing::error!("stopped at once; only what was saved before is left");
                std::process::exit(1);
            }
            flag.request();
            tracing::warn!("stopping after this step, then saving; a second signal stops at once and saves nothing");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    #[test]
    fn asks_only_when_requested() {
        let interrupt = Interrupt::never();
        assert!(interrupt.check().is_ok());
        interrupt.clone().request();
        assert!(matches!(interrupt.check(), Err(Error::Interrupted)));
    }

    /// Not a test: the process that the tests below start and send signals to.
    #[test]
    fn child() {
        if std::env::var_os("NOVICE_TEST_CHILD").is_none() {
            return;
        }
        let patient = std::env::var_os("NOVICE_TEST_PATIENT").is_some();
        let interrupt = Interrupt::install().unwrap();
        eprintln!("ready");
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end && (patient || !interrupt.requested()) {
            std::thread::sleep(Duration::from_millis(5));
            if interrupt.requested() {
                eprintln!("seen");
            }
        }
        std::process::exit(if interrupt.requested() { 42 } else { 43 });
    }

    fn start(patient: bool) -> (Child, impl FnMut(&str)) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "checkpoint::interrupt::tests::child", "--nocapture"]);
        command.env("NOVICE_TEST_CHILD", "1");
        if patient {
            command.env("NOVICE_TEST_PATIENT", "1");
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, move |text: &str| assert!(lines.any(|l| l.unwrap().contains(text)), "never said {text}"))
    }

    fn send(child: &Child, signal: i32) {
        // SAFETY: plain system call with the id of a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(child.id().try_into().unwrap(), signal) }, 0);
    }

    #[test]
    fn the_first_signal_only_sets_the_flag() {
        for kind in [libc::SIGINT, libc::SIGTERM] {
            let (mut child, mut wait_for) = start(false);
            wait_for("ready");
            send(&child, kind);
            assert_eq!(child.wait().unwrap().code(), Some(42), "the child must end by itself, flag set");
        }
    }

    #[test]
    fn the_second_signal_ends_the_process() {
        let (mut child, mut wait_for) = start(true);
        wait_for("ready");
        send(&child, libc::SIGINT);
        wait_for("seen");
        send(&child, libc::SIGINT);
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}
