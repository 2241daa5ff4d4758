//! Cancelled queries and terminated sessions.

/// Ends the call where the client or an administrator has asked for it. Every loop over what a
/// caller can make long calls this; it costs a look at one variable.
#[inline]
pub fn check() {
    pgrx::check_for_interrupts!();
}
