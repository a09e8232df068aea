//! What can go wrong that is not the submission's fault.

use std::path::PathBuf;

/// `Result` with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the sandbox or of a course. A submission never causes one: whatever it does ends in an [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A course cannot be read.
    #[error("{0}")]
    Course(#[from] Box<CourseError>),
    /// The embedded interpreter is damaged.
    #[error("the embedded guest is damaged: {0}; build the program again")]
    Guest(String),
    /// wasmtime refuses to set up an engine or an instance.
    #[error("the WebAssembly engine failed while {doing}: {reason}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What wasmtime says.
        reason: String,
    },
    /// A setting is out of range.
    #[error("{field} is {value}, expected {expected}")]
    Setting {
        /// Name of the field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// The tests of one submission took longer than the wall-clock backstop, which only a starved machine explains.
    #[error(
        "its tests took more than {seconds} s of real time, and counted instructions allow far less; is the machine overloaded?"
    )]
    Backstop {
        /// The setting `backstop_s`.
        seconds: u64,
    },
    /// The system gives no thread.
    #[error("cannot start a grading thread: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// For `map_err` after calls to wasmtime.
    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(wasmtime::Error) -> Error {
        move |error| Error::Engine { doing, reason: format!("{error:#}") }
    }
}

/// What is wrong in a course, and where.
#[derive(Debug, thiserror::Error)]
pub enum CourseError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not YAML, an unknown key, a missing key, or a value of the wrong type.
    #[error("{file}:{line}: {message}")]
    Yaml {
        /// Name of the file.
        file: String,
        /// Line, from 1; 0 when it is unknown.
        line: u64,
        /// What was expected.
        message: String,
    },
    /// A field that holds something it must not.
    #[error("{file}:{line}: {field}: {message}")]
    Field {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Such as `problems[2].tests[0].expect`.
        field: String,
        /// What was expected and what to do.
        message: String,
    },
    /// A folder without problems.
    #[error("{}: no course.yaml and no problem files (*.yaml, *.md) in this folder", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}
