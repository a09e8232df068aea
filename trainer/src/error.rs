//! The crate's one error type. Variants carry facts; `Display` turns them into a sentence that says what to do.

use std::path::{Path, PathBuf};

/// Result of everything fallible in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, grouped by whose mistake it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong: all problems found, one a line, each with file, line and field.
    #[error("{0}")]
    Config(String),
    /// A data file (traces, course, rollouts) holds something that is not what its format says.
    #[error("{}:{line}: {field}: {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// 1-based line; 0 when the whole file is meant.
        line: usize,
        /// The field, or the format's name when the whole line is broken.
        field: String,
        /// What was found, what was expected, what to do.
        message: String,
    },
    /// A model folder, tokenizer or checkpoint cannot be used.
    #[error("{}: {message}", path.display())]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what to do.
        message: String,
    },
    /// A file could not be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: "read", "write", "create".
        action: &'static str,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {operation}: {message}")]
    Tensor {
        /// The operation.
        operation: &'static str,
        /// Its message, without the C++ backtrace.
        message: String,
    },
    /// The tokenizer refused its input.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The sandbox could not be opened, or a course is wrong.
    #[error(transparent)]
    Sandbox(#[from] novice_sandbox::Error),
    /// Something that the caller asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A run cannot go on.
    #[error("{0}")]
    Failed(String),
    /// The user asked to stop; what was done is saved.
    #[error("stopped; `--resume` continues from the last checkpoint")]
    Interrupted,
}

impl Error {
    /// The exit status of the process: 2 for wrong usage, configuration or input, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_) | Error::Data { .. } | Error::Model { .. } | Error::Sandbox(_) | Error::Usage(_) => 2,
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 2,
            _ => 1,
        }
    }

    /// An [`Error::Io`] for `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// An [`Error::Model`] for `path`.
    pub fn model(path: impl AsRef<Path>, message: impl Into<String>) -> Error {
        Error::Model { path: path.as_ref().to_path_buf(), message: message.into() }
    }
}

/// Gives a libtorch error the name of the operation that failed: `t.f_matmul(&u).op("q_proj")?`.
pub trait TensorResult<T> {
    /// Names the operation.
    fn op(self, operation: &'static str) -> Result<T>;
}

impl<T> TensorResult<T> for std::result::Result<T, tch::TchError> {
    fn op(self, operation: &'static str) -> Result<T> {
        self.map_err(|e| {
            let text = e.to_string();
            let message = text.split("\nException raised from").next().unwrap_or(&text).trim().to_string();
            Error::Tensor { operation, message }
        })
    }
}
