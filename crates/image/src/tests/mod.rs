//! Images as they are made, and as they should not be.

mod attacks;
mod forge;
mod whole;
