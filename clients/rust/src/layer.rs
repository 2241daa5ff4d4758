//! A store for each request, around the layer that manages the sessions.

use std::task::{Context, Poll};

use tower::util::Oneshot;
use tower::{Layer, Service, ServiceExt};

use crate::request::RequestStore;
use crate::store::SsoAttrStore;

/// Gives each request a [`RequestStore`], so that requests of one session that run at the same time do
/// not undo what the others have changed.
#[derive(Clone, Debug)]
pub struct SsoAttrLayer<F> {
    store: SsoAttrStore,
    manager: F,
}

impl<F> SsoAttrLayer<F> {
    /// `manager` makes the layer of tower-sessions, for example
    /// `|store| SessionManagerLayer::new(store).with_name("sid")`.
    pub fn new<L>(store: SsoAttrStore, manager: F) -> Self
    where
        F: Fn(RequestStore) -> L,
    {
        Self { store, manager }
    }
}

impl<S, F: Clone> Layer<S> for SsoAttrLayer<F> {
    type Service = SsoAttrService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        SsoAttrService { inner, layer: self.clone() }
    }
}

/// What [`SsoAttrLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct SsoAttrService<S, F> {
    inner: S,
    layer: SsoAttrLayer<F>,
}

impl<S, F, L, Request> Service<Request> for SsoAttrService<S, F>
where
    S: Clone,
    F: Fn(RequestStore) -> L,
    L: Layer<S>,
    L::Service: Service<Request>,
{
    type Response = <L::Service as Service<Request>>::Response;
    type Error = <L::Service as Service<Request>>::Error;
    type Future = Oneshot<L::Service, Request>;

    /// The service that is to be ready is only made for the request, and waited for then.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let store = RequestStore::new(self.layer.store.clone());
        (self.layer.manager)(store).layer(self.inner.clone()).oneshot(request)
    }
}
