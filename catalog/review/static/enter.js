/** Hands the token of the printed address over for a cookie, and opens the page with it. */

/** @param {boolean} refused */
function say(refused) {
  document.getElementById("entering")?.toggleAttribute("hidden", refused);
  document.getElementById("refused")?.toggleAttribute("hidden", !refused);
}

async function enter() {
  const token = location.hash.slice(1);
  history.replaceState(null, "", location.pathname); // the token stays in no address bar
  if (!token) return say(true);
  say(false);
  try {
    const answer = await fetch("/enter", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (answer.ok) location.replace("/");
    else say(true);
  } catch {
    say(true);
  }
}

addEventListener("hashchange", () => location.hash && enter()); // pasted into this very tab
enter();
