//! The command itself: help, exit codes, who a process is.

mod support;

use std::{os::unix::process::CommandExt, process::Stdio};

use support::{eagre, output, text};

#[test]
fn every_help_text_shows_examples() {
    for command in ["", "up", "check", "settings", "install", "completion"] {
        let arguments: Vec<_> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let output = output(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(text(&output).contains("Examples:"), "{arguments:?}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(text(&output(&["--version"])), format!("eagre {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn misuse_ends_with_the_code_for_usage() {
    for arguments in [
        &[][..],
        &["no-such-command"],
        &["up", "--fsync", "sometimes"],
        &["up", "--driver", "x"],
        &["up", "--grace", "25h"],
        &["install"],
        &["install", "-o", "json"],
    ] {
        assert_eq!(output(arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn a_tuning_file_can_be_had_without_the_repository() {
    let output = output(&["settings"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output), include_str!("../../examples/eagre.toml"));
}

#[test]
fn completion_scripts_know_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let output = output(&["completion", shell]);
        assert!(output.status.success() && text(&output).contains("admin"), "{shell}");
    }
}

#[test]
fn the_name_it_is_called_by_decides_which_plane_it_is() {
    for name in ["eagre-dataplane", "/usr/local/bin/eagre-controlplane"] {
        let output = eagre().arg0(name).arg("--help").stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output).contains("--snapshot"), "{name}");
        let output = eagre().arg0(name).arg("--no-such-option").stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{name}");
    }
}
