//! What an operator gets: the log and what the docs say of it, metrics, rules and a dashboard for Prometheus and Grafana.

mod alerts;
mod dashboard;
mod descriptors;
mod exposition;
mod lines;
mod metrics;
mod storms;
mod support;
mod wake_ups;
