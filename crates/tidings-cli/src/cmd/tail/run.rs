//! The command that is run for each event.

use std::process::Stdio;

use tidings_client::Event;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs a command for each event.
#[derive(Debug)]
pub(super) struct Runner {
    /// What the shell is given.
    pub(super) command: String,
    /// Whether a failure is passed over.
    pub(super) keeps_going: bool,
}

impl Runner {
    /// Runs it to its end, with the data on its stdin. Its outputs are ours.
    ///
    /// # Errors
    /// What happened, when it cannot be run or does not succeed.
    pub(super) async fn run(&self, event: &Event) -> Result<(), String> {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .env("TIDINGS_EVENT_TYPE", as_variable(&event.event_type))
            .env("TIDINGS_EVENT_ID", as_variable(&event.last_event_id))
            .env("TIDINGS_EVENT_ORIGIN", as_variable(&event.origin))
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the command cannot be run: {error}"))?;
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let given = async {
            // A command need not read what it is given; whether it has succeeded it says itself.
            let _ = stdin.write_all(event.data.as_bytes()).await;
            drop(stdin);
            std::future::pending().await
        };
        let status = tokio::select! {
            status = child.wait() => status,
            status = given => status,
        };
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the command failed ({status})")),
            Err(error) => Err(format!("the command cannot be waited for: {error}")),
        }
    }
}

/// No variable holds a NUL, which an event's type may.
fn as_variable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &str, event: &Event) -> Result<(), String> {
        Runner { command: command.to_owned(), keeps_going: false }.run(event).await
    }

    #[tokio::test]
    async fn a_command_has_the_data_and_the_fields_and_says_how_it_went() {
        let event = Event {
            event_type: "ty\0pe".into(),
            data: "one\n'two'".into(),
            last_event_id: "$(e-1)".into(),
            origin: "http://h".into(),
        };
        let command = r#"test "$(cat)" = "one
'two'" && test "$TIDINGS_EVENT_ID|$TIDINGS_EVENT_TYPE|$TIDINGS_EVENT_ORIGIN" = '$(e-1)|ty�pe|http://h'"#;
        assert_eq!(run(command, &event).await, Ok(()));
        let failed = run("exit 3", &event).await.expect_err("it fails");
        assert!(failed.contains("exit status: 3"), "{failed}");
        let killed = run("kill -9 $$", &event).await.expect_err("it fails");
        assert!(killed.contains("signal: 9"), "{killed}");
    }

    #[tokio::test]
    async fn a_command_need_not_read_its_data() {
        let event = Event {
            event_type: "message".into(),
            data: "x".repeat(1 << 20),
            last_event_id: String::new(),
            origin: "".into(),
        };
        assert_eq!(run("true", &event).await, Ok(()));
        assert_eq!(run("exec 0<&-; true", &event).await, Ok(()));
    }
}
