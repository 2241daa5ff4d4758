// error: E0451
// An array parameter of anything but checked elements.
use crate::pg::sql::{ArrayOf, Text};


pub fn example() -> ArrayOf<Text> {
    ArrayOf { datum: 0.into(), element: std::marker::PhantomData }
}
