//! The jailer alone, for this crate's own tests: the server is its own jailer.

fn main() {
    rushlight_sandbox::jailer::main_if_requested();
    std::process::exit(2);
}
