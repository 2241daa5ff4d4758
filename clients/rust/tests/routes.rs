//! The tests that the crate tower-sessions ships for stores, with a save that replaces the session and
//! with one that writes what the request has changed.

#![allow(clippy::unwrap_used, unused_qualifications, reason = "they are not ours")]

mod server;

#[macro_use]
mod common {
    include!(env!("TOWER_SESSIONS_TESTS"));

    /// As their `build_app`, which takes no other layer.
    pub fn build_app_by_request(max_age: Option<Duration>, domain: Option<String>) -> Router {
        let store = crate::server::store().unwrap();
        routes().layer(tower_sessions_sso_attr::SsoAttrLayer::new(store, move |store| {
            let mut manager = SessionManagerLayer::new(store).with_secure(true);
            if let Some(max_age) = max_age {
                manager = manager.with_expiry(Expiry::OnInactivity(max_age));
            }
            if let Some(domain) = domain.clone() {
                manager = manager.with_domain(domain);
            }
            manager
        }))
    }
}

mod replacing {
    async fn app(max_age: Option<Duration>, domain: Option<String>) -> axum::Router {
        let manager = tower_sessions::SessionManagerLayer::new(crate::server::store().unwrap());
        crate::common::build_app(manager.with_secure(true), max_age, domain)
    }

    route_tests!(app);
}

mod by_request {
    async fn app(max_age: Option<Duration>, domain: Option<String>) -> axum::Router {
        crate::common::build_app_by_request(max_age, domain)
    }

    route_tests!(app);
}
