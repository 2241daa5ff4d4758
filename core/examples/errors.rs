//! Prints the reference's table of errors.

fn main() {
    for condition in sso_attr_core::error::CONDITIONS {
        println!("| {} | {} | {} |", condition.sqlstate, condition.name, condition.raised);
    }
}
