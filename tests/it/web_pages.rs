//! The collector's pages in a real browser: usable without eyes, without colours, on a narrow screen.

use std::process::Command;

use clause9_tests::tools::{tool, web_script};

use crate::first_nonconformity::Bank;

#[test]
fn the_pages_have_no_grave_barrier_in_light_dark_and_narrow() -> anyhow::Result<()> {
    let script = web_script("pages.mjs", "axe-core")?;
    let (Some(node), Some(chromium), Some(script)) = (tool("node")?, tool("chromium")?, script)
    else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let mut bank = Bank::open(folder.path())?;
    // Good days, and then so many bad ones that there is a nonconformity to be shown.
    for day in 0..10 {
        bank.live_through(day, if day < 4 { 3 } else { 40 })?;
    }
    let collector = format!("http://127.0.0.1:{}", bank.site.collector);
    let page = clause9_tests::http::get(bank.site.collector, "/systems/grading")?.text();
    assert!(page.contains("Candidate nonconformities"), "{page}");
    let pages = ["/", "/systems/grading", "/systems/none"].map(|path| format!("{collector}{path}"));
    let mut look = Command::new(node);
    look.arg(script).env("CHROMIUM", chromium);
    if let Some(shots) = std::env::var_os("CLAUSE9_SHOTS") {
        look.arg("--shots").arg(shots);
    }
    let looked = look.args(pages).output()?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&looked.stdout), said(&looked.stderr));
    assert!(looked.status.success(), "{err}\n{out}");
    assert!(out.trim_end().ends_with(" 0 failed"), "{out}");
    Ok(())
}
