//! The judge on trial: true histories that it must accept, false ones that it must refuse and for the right reason, and
//! true ones that are broken in one random place.

mod broken;
mod ideal;
mod order;
mod refused;
mod script;
mod taken;
