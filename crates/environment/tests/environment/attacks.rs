//! Hostile use of the Runtime API, with raw sockets. (Filled in below.)
