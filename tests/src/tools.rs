//! Programs of other people that tests start. A tool that is missing fails its test; whoever wants
//! to do without sets `CLAUSE9_SKIP_MISSING_TOOLS=1` at a desk. In CI that is ignored.

use std::path::PathBuf;

/// Where tests/run puts what it installs.
fn home() -> PathBuf {
    std::env::var_os("CLAUSE9_TOOLS")
        .map_or_else(|| PathBuf::from("/opt/clause9-tools"), PathBuf::from)
}

/// A program by its name, looked for among the installed tools and in the search path.
/// `None` only where skipping was asked for.
pub fn tool(name: &str) -> anyhow::Result<Option<PathBuf>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(home().join("bin"))
        .chain(std::env::split_paths(&path))
        // Where servers stand that a user's path leaves out.
        .chain(std::iter::once(PathBuf::from("/usr/sbin")))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    or_skip(name, found)
}

/// A program of the environment in which MLServer is installed.
pub fn mlserver(program: &str) -> anyhow::Result<Option<PathBuf>> {
    environment("mlserver", program)
}

/// A program of the Python environment that `tests/tools/NAME` installs.
pub fn environment(name: &str, program: &str) -> anyhow::Result<Option<PathBuf>> {
    let candidate = home().join(name).join("bin").join(program);
    let found = candidate.is_file().then_some(candidate);
    or_skip(name, found)
}

/// A broker of Kafka's protocol.
pub fn kafka() -> anyhow::Result<Option<PathBuf>> {
    let candidate = home().join("kafka/tansu");
    let found = candidate.is_file().then_some(candidate);
    or_skip("Tansu", found)
}

/// A collector of OpenTelemetry's protocol.
pub fn rotel() -> anyhow::Result<Option<PathBuf>> {
    let candidate = home().join("rotel/rotel-agent");
    let found = candidate.is_file().then_some(candidate);
    or_skip("Rotel", found)
}

/// A server of language models: where the program and its libraries are, and its model.
#[derive(Debug)]
pub struct Llama {
    /// The folder with the program `llama-server`, and its libraries.
    pub server: PathBuf,
    /// The weights.
    pub model: PathBuf,
}

/// llama.cpp's server with a small model.
pub fn llama() -> anyhow::Result<Option<Llama>> {
    let home = home().join("llama");
    let installed = home.join("server/llama-server").is_file();
    let found = or_skip("llama-server", installed.then_some(home))?;
    Ok(found.map(|home| Llama {
        server: home.join("server"),
        model: home.join("model.gguf"),
    }))
}

/// A script of `tests/web`, if a package that it needs is installed there.
pub fn web_script(name: &str, package: &str) -> anyhow::Result<Option<PathBuf>> {
    let folder = crate::repository::root().join("tests/web");
    let installed = folder.join("node_modules").join(package).is_dir();
    or_skip(package, installed.then(|| folder.join(name)))
}

/// Whether a test may leave out what this machine has not: never in CI.
pub fn may_skip() -> bool {
    let asked = |variable: &str| std::env::var(variable).is_ok_and(|v| v == "1" || v == "true");
    !asked("CI") && asked("CLAUSE9_SKIP_MISSING_TOOLS")
}

fn or_skip(name: &str, found: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    if found.is_none() && !may_skip() {
        anyhow::bail!(
            "{name} is not installed: run `bash tests/run tools`, or set CLAUSE9_SKIP_MISSING_TOOLS=1 to skip \
             such tests at a desk"
        );
    }
    Ok(found)
}
