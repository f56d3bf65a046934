//! One file per verb of the command line.

pub mod clock;
pub mod doctor;
pub mod functions;
pub mod iam;
pub mod invoke;
pub mod logs;
pub mod runtimes;
pub mod serve;
