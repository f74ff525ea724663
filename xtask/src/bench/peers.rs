//! The servers that are compared: how each is started, subscribed to and published to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use super::server::{Announcement, RunningServer, Start};
use crate::run::output_of;
use crate::workspace::Workspace;

/// A server that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// This hub with its history in memory.
    Tidings,
    /// This hub with its history on disk, each publish synced.
    TidingsSync,
    /// This hub with its history in memory, closed to all but holders of tokens.
    TidingsKeys,
    /// This hub in memory, replaying without a budget.
    TidingsUnbudgeted,
    /// The bare loop that batches.
    Batch,
    /// The bare loop that sends each event by itself.
    Limit,
    DurableStreams,
    Axum,
    Nchan,
    /// No server: a loop that appends to a file and syncs it, on the disk where the servers store.
    Disk,
}

/// The programs that there are.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) tidings: PathBuf,
    examples: PathBuf,
    durable_streams: Option<PathBuf>,
    nginx: Option<PathBuf>,
    /// Whether this hub knows `--data` yet.
    has_store: bool,
    /// Where servers may write.
    pub(super) scratch: PathBuf,
}

impl Programs {
    pub(super) fn find(workspace: &Workspace) -> Self {
        let release = workspace.target().join("release");
        let tidings = release.join("tidings");
        let help = output_of(&tidings.to_string_lossy(), &["serve", "--help"]).unwrap_or_default();
        let nchan = ["/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/share/nginx/modules/ngx_nchan_module.so"];
        let has_nchan = nchan.iter().any(|module| fs::exists(module).unwrap_or(false));
        Self {
            tidings,
            examples: release.join("examples"),
            durable_streams: on_path("durable-streams-server"),
            nginx: on_path("nginx").filter(|_| has_nchan),
            has_store: help.contains("--data"),
            scratch: workspace.target().join("bench"),
        }
    }
}

/// What tokens of a load are signed with.
const SECRET: &str = "a secret for measuring alone, on loopback";

impl Peer {
    pub(super) const ALL: [Self; 10] = [
        Self::Tidings,
        Self::TidingsSync,
        Self::TidingsKeys,
        Self::TidingsUnbudgeted,
        Self::Batch,
        Self::Limit,
        Self::DurableStreams,
        Self::Axum,
        Self::Nchan,
        Self::Disk,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tidings => "tidings",
            Self::TidingsSync => "tidings-sync",
            Self::TidingsKeys => "tidings-keys",
            Self::TidingsUnbudgeted => "tidings-unbudgeted",
            Self::Batch => "batch",
            Self::Limit => "limit",
            Self::DurableStreams => "durable-streams",
            Self::Axum => "axum",
            Self::Nchan => "nchan",
            Self::Disk => "disk",
        }
    }

    /// How to start it; `None` when it is not on this machine.
    ///
    /// # Errors
    /// When there is no place or no port for it.
    pub(super) fn start(self, programs: &Programs) -> Result<Option<Start>, String> {
        let example = |name: &str| Start::announcing(Command::new(programs.examples.join(name)));
        let start = match self {
            Self::Tidings => hub(programs, &["--memory"]),
            Self::TidingsSync if !programs.has_store => return Ok(None),
            Self::TidingsSync => {
                let data = empty_folder(programs, "tidings-data")?;
                hub(programs, &["--data", &data.to_string_lossy()])
            }
            Self::TidingsKeys => {
                hub(programs, &["--memory", "--publisher-jwt-key", SECRET, "--subscriber-jwt-key", SECRET])
            }
            Self::TidingsUnbudgeted => example("hub_without_budget"),
            Self::Batch => example("batch"),
            Self::Limit => example("limit"),
            Self::Axum => example("peer_axum"),
            Self::Disk => return Ok(None), // it is measured by `disk`
            Self::DurableStreams => match &programs.durable_streams {
                None => return Ok(None),
                Some(program) => {
                    let port = free_port()?;
                    let data = empty_folder(programs, "durable-streams")?;
                    let mut command = Command::new(program);
                    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--data-dir"]).arg(data);
                    Start { command, announcement: Announcement::Port(port) }
                }
            },
            Self::Nchan => match &programs.nginx {
                None => return Ok(None),
                Some(program) => {
                    let port = free_port()?;
                    let folder = empty_folder(programs, "nchan")?;
                    let configuration = folder.join("nginx.conf");
                    fs::write(&configuration, nginx_configuration(port, &folder.to_string_lossy()))
                        .map_err(|error| format!("{}: {error}", configuration.display()))?;
                    let mut command = Command::new(program);
                    command.arg("-c").arg(&configuration).args(["-g", "daemon off;"]);
                    Start { command, announcement: Announcement::Port(port) }
                }
            },
        };
        Ok(Some(start))
    }

    /// How `tidings bench` speaks to it.
    pub(super) const fn flags(self) -> &'static [&'static str] {
        match self {
            // What `tidings bench` does by itself; the loops take any path.
            Self::Tidings | Self::TidingsSync | Self::TidingsUnbudgeted | Self::Batch | Self::Limit | Self::Disk => &[],
            Self::TidingsKeys => &["--token-key", SECRET],
            Self::Axum | Self::Nchan => &["--subscribe", "/sub/t{t}", "--publish", "/pub/t{t}"],
            Self::DurableStreams => &[
                "--subscribe",
                "/v1/stream/t{t}?offset=now&live=sse",
                "--publish",
                "/v1/stream/t{t}",
                "--publish-header",
                "Content-Type: text/plain",
            ],
        }
    }

    /// Makes the topics, where a server wants them made.
    ///
    /// # Errors
    /// When the server does not make one.
    pub(super) fn prepare(self, server: &RunningServer, topics: usize) -> Result<(), String> {
        if self != Self::DurableStreams {
            return Ok(());
        }
        let made: std::io::Result<()> = (0..topics).try_for_each(|topic| create_stream(server, topic));
        made.map_err(|error| format!("durable-streams makes no stream: {error}"))
    }
}

fn hub(programs: &Programs, history: &[&str]) -> Start {
    let mut command = Command::new(&programs.tidings);
    // 19,500: a process may have 20,000 descriptors in many places, and 19,000 subscribers are the largest load.
    command.args(["serve", "--listen", "127.0.0.1:0", "--max-connections", "19500"]).args(history);
    Start::announcing(command)
}

/// Room for 2,000 events of each topic, so that clients that come back can get what they missed; the hub's own times for
/// heads and bodies, so that a flood meets the same.
fn nginx_configuration(port: u16, folder: &str) -> String {
    format!(
        "load_module modules/ngx_nchan_module.so;
worker_processes 1;
worker_rlimit_nofile 19990;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 19900; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_header_timeout 10s;
    client_body_timeout 30s;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/pub/(\\w+)$ {{
            nchan_publisher;
            nchan_channel_id $1;
            nchan_message_buffer_length 2000;
        }}
        location ~ ^/sub/(\\w+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"
    )
}

fn create_stream(server: &RunningServer, topic: usize) -> std::io::Result<()> {
    let address = server.address();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = format!(
        "PUT /v1/stream/t{topic} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut status = String::new();
    BufReader::new(stream.take(1024)).read_line(&mut status)?;
    if status.starts_with("HTTP/1.1 2") { Ok(()) } else { Err(std::io::Error::other(status.trim().to_owned())) }
}

fn empty_folder(programs: &Programs, name: &str) -> Result<PathBuf, String> {
    let folder = programs.scratch.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// A port that was free a moment ago, for programs that cannot choose one.
fn free_port() -> Result<u16, String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}
