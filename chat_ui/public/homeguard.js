// The page's own part: its address follows the conversation, the first screen says how the home is,
// and a session that has ended leads to the login page.
(() => {
  const HOME = "/chat/"
  const THREAD = HOME + "thread/"
  // Until the person chooses, the page is light or dark as their device is.
  if (!localStorage.getItem("vite-ui-theme")) localStorage.setItem("vite-ui-theme", "system")

  let leaving = false
  let status = null

  const toLogin = () => {
    if (leaving) return
    leaving = true
    location.assign("/login?next=" + encodeURIComponent(location.pathname))
  }

  const stillSignedIn = async () => {
    try {
      const answer = await fetch("/chat/ready", { headers: { accept: "application/json" }, cache: "no-store" })
      if (answer.status === 401) toLogin()
    } catch (error) { /* the server is away: the page says so itself */ }
  }

  // A socket that closes because its session was revoked has a code of its own; one that cannot come back is asked about.
  const Native = window.WebSocket
  window.WebSocket = class extends Native {
    constructor(...args) {
      super(...args)
      this.addEventListener("close", (event) => { if (event.code === 4401) toLogin(); else stillSignedIn() })
    }
  }

  // While a page loads, the chat connects twice, the second time to the conversation that the address names; each
  // time it first asks for a cookie that only matters behind several servers. Answered here and in order, the
  // second connection is the one that stays.
  const ask = window.fetch.bind(window)
  window.fetch = (input, options) => {
    const address = String(input && input.url ? input.url : input)
    if (!address.endsWith("/chat/set-session-cookie")) return ask(input, options)
    return Promise.resolve(new Response("{}", { headers: { "content-type": "application/json" } }))
  }

  const line = () => {
    const words = document.createElement("div")
    words.id = "hg-status"
    words.setAttribute("role", "status")
    words.dataset.tone = status.tone
    const hello = document.createElement("h1")
    hello.textContent = status.name ? "Hello, " + status.name : "Hello"
    const text = document.createElement("p")
    text.textContent = status.text
    words.append(hello, text)
    for (const detail of status.details || []) {
      const small = document.createElement("span")
      small.textContent = detail
      words.append(small)
    }
    return words
  }

  const draw = () => {
    const screen = document.getElementById("welcome-screen")
    if (!screen || !status) return
    const old = document.getElementById("hg-status")
    if (old && old.dataset.drawn === JSON.stringify(status)) return
    const fresh = line()
    fresh.dataset.drawn = JSON.stringify(status)
    if (old) old.replaceWith(fresh)
    else screen.insertBefore(fresh, screen.querySelector("#message-composer") || screen.children[1] || null)
  }

  window.addEventListener("message", (event) => {
    if (event.source !== window || !event.data || !event.data.homeguard) return
    const told = event.data.homeguard
    if (told.signed_out) toLogin()
    if (told.status) { status = told.status; draw() }
    if (told.thread) {
      const path = THREAD + encodeURIComponent(told.thread)
      if (location.pathname !== path && (location.pathname === HOME || location.pathname.startsWith(THREAD))) {
        history.replaceState(history.state, "", path)
      }
    }
  })

  new MutationObserver(draw).observe(document.documentElement, { childList: true, subtree: true })
})()
