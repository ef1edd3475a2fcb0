//! Whose doing it was that a request got no answer. What a client does to its own request must never
//! count against the model server: clients could push a share of failures over its level that way.

use std::error::Error;

use crate::capture::body::BodyError;
use crate::capture::upstream::UpstreamError;

/// Who is to blame for a request without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The client broke its own body off, or it cannot be read.
    Client,
    /// The model server broke off the stream, for this reason. One that it never looked at, since it is
    /// going away, may safely be sent again, and the client is told so.
    ServerReset(h2::Reason),
    /// The model server could not be reached, or its answer could not be read.
    Server,
}

/// Looks for the cause of a request's failure.
pub(super) fn blame(error: &UpstreamError) -> Blame {
    let UpstreamError::Broken(error) = error else {
        return Blame::Server;
    };
    let causes = || std::iter::successors(error.source(), |error| (*error).source());
    if causes().any(<dyn Error>::is::<BodyError>) {
        return Blame::Client;
    }
    let Some(error) = causes().find_map(|cause| cause.downcast_ref::<h2::Error>()) else {
        return Blame::Server;
    };
    match (error.is_remote(), error.is_reset(), error.is_go_away()) {
        (true, true, _) => error.reason().map_or(Blame::Server, Blame::ServerReset),
        (true, _, true) => Blame::ServerReset(h2::Reason::REFUSED_STREAM),
        // Only a request's body that ended early has us reset the stream ourselves.
        (false, true, _) if !error.is_library() => Blame::Client,
        _ => Blame::Server,
    }
}
