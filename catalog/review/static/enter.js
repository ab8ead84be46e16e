/** Hands the token of the printed address over for a cookie, and opens the page with it. */

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname); // the token stays in no address bar

function refuse() {
  document.getElementById("entering")?.toggleAttribute("hidden", true);
  document.getElementById("refused")?.toggleAttribute("hidden", false);
}

async function enter() {
  const answer = await fetch("/enter", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (answer.ok) location.replace("/");
  else refuse();
}

if (token) enter().catch(refuse);
else refuse();
