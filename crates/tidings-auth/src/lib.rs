//! Tokens: whom they speak for, what they grant, and whether they are good now.
//!
//! Here: [`Authority`] (keys, checks), [`Identity`] (what a good token grants), [`find_token`] (where a request has it),
//! [`Tickets`] (connections without a token in their address), [`mint`] (makes tokens). Not here: what is
//! answered and logged (see `tidings-http`). Nothing here spawns or reads the clock of the wall: time is an argument. Only
//! `jwks` opens connections, in a future that somebody else runs.
//!
//! ```
//! use tidings_auth::{Action, Algorithm, Authority, AuthorityOptions, Claims, KeySource, mint};
//! use tidings_core::Timestamp;
//!
//! let key = KeySource::new("!ChangeThisMercureHubJWTSecretKey!", Algorithm::Hs256);
//! let options = AuthorityOptions { publisher: Some(key.clone()), ..AuthorityOptions::default() };
//! let authority = Authority::new(options)?;
//!
//! let claims = Claims { publish: vec!["chat/*".to_owned()], ..Claims::default() };
//! let token = mint(&claims, &key)?;
//!
//! # let wait = tokio::runtime::Builder::new_current_thread().build()?;
//! # wait.block_on(async {
//! let identity = authority.verify(&token, Action::Publish, Timestamp::from_millis(0)).await?;
//! assert!(identity.may_publish("chat/42") && !identity.may_publish("news"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod authority;
mod checked;
mod claims;
mod cover;
mod error;
mod identity;
mod json;
mod jwks;
mod jws;
mod key;
mod mint;
mod origin;
mod place;
mod secret;
mod standing;
mod ticket;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use authority::{Action, Authority, AuthorityOptions};
pub use error::TokenError;
pub use identity::{Identity, Shape};
pub use jwks::{JwksOptions, JwksSource, KeySet, KeySetCounts};
pub use jws::TOKEN_BYTES_MAX;
pub use key::{KeyError, KeySource};
pub use mint::{Claims, MintError, mint};
pub use origin::allows_cookie_publish;
pub use place::{FoundToken, Place, PlaceError, TokenPlaces, find_token};
pub use secret::SecretText;
pub use standing::{Full, StandingId};
pub use ticket::{Connected, Ticket, TicketError, Tickets};
