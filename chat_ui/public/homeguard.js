// The page's own part: its address follows the conversation, the first screen and the card of the home say how the
// home is, what the library leaves unnamed gets a name, and a session that has ended leads to the login page.
(() => {
  const HOME = "/chat/"
  const THREAD = HOME + "thread/"
  const NOT_YET_MS = [200, 300, 500, 800, 1200, 2000, 3000, 4000]
  // Until the person chooses, the page is light or dark as their device is.
  if (!localStorage.getItem("vite-ui-theme")) localStorage.setItem("vite-ui-theme", "system")

  let leaving = false
  let status = null
  let home = null
  let words = {}
  let languages = {}
  let language = document.documentElement.lang || "en"
  let unfolded = false
  let lost = false

  const say = (key, values) => (words[key] || "").replace(/\{(\w+)\}/g, (_, name) => (values && values[name]) || "")
  const make = (tag, attributes, ...children) => {
    const made = document.createElement(tag)
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value)
    made.append(...children.filter((child) => child !== null && child !== ""))
    return made
  }

  // -- the session ------------------------------------------------------------------------------------------------

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
      this.addEventListener("open", () => { if (lost) { lost = false; announce(say("back")) } })
      this.addEventListener("close", (event) => {
        if (event.code === 4401) { toLogin(); return }
        if (!lost && !leaving) { lost = true; announce(say("away")) }
        stillSignedIn()
      })
    }
  }

  // While a page loads, the chat connects twice, the second time to the conversation that the address names; each
  // time it first asks for a cookie that only matters behind several servers. Answered here and in order, the
  // second connection is the one that stays. A press that came before the server knew this page goes again: nothing
  // has happened until then, which the answer says by its code.
  const ask = window.fetch.bind(window)
  // Every card and list asks for its own source: it is fetched once, and before the first one is drawn.
  const sources = new Map()
  const element = async (address) => {
    if (!sources.has(address)) {
      const source = ask(address).then((answer) => { if (!answer.ok) throw new Error(answer.status); return answer.text() })
      source.catch(() => sources.delete(address))
      sources.set(address, source)
    }
    return new Response(await sources.get(address), { headers: { "content-type": "text/plain" } })
  }
  const ELEMENTS = ["DeedList", "ConfirmCard", "PlanList", "Chart", "QuickReplies", "AlertCard"]
  addEventListener("load", () => setTimeout(() => ELEMENTS.forEach((which) => element(location.origin + "/chat/public/elements/" + which + ".jsx").catch(() => {})), 500))
  const wait = (ms) => new Promise((done) => setTimeout(done, ms))
  window.fetch = async (input, options) => {
    const address = String(input && input.url ? input.url : input)
    if (/\/public\/elements\/\w+\.jsx$/.test(address)) return element(address)
    if (address.endsWith("/chat/set-session-cookie")) return new Response("{}", { headers: { "content-type": "application/json" } })
    let answer = await ask(input, options)
    if (!address.endsWith("/project/action")) return answer
    for (const ms of NOT_YET_MS) {
      if (answer.status !== 409) break
      const told = await answer.clone().json().catch(() => ({}))
      if (!told.error || told.error.code !== "NOT_YET") break
      await wait(ms)
      answer = await ask(input, options)
    }
    return answer
  }

  // -- what is read aloud -----------------------------------------------------------------------------------------

  // Whole answers, once: words that are still coming are not read piece by piece.
  const announce = (text) => {
    if (!text) return
    const live = document.getElementById("hg-live") || document.body.appendChild(make("div", { id: "hg-live", class: "hg-unseen", role: "status", "aria-live": "polite" }))
    live.textContent = ""
    setTimeout(() => { live.textContent = text }, 60)
  }

  // What the library draws without a name.
  const NAMES = {
    "#sidebar-trigger-button": "sidebar", "#sidebar-trigger-button-mobile": "sidebar", "#search-chats-button": "search", "#new-chat-button": "new",
    "#user-nav-button": "account", "#theme-toggle": "theme", "#chat-input": "message", "#thread-options": "options", "#chat-submit": "send",
  }
  const name = () => {
    for (const [which, key] of Object.entries(NAMES)) {
      for (const found of document.querySelectorAll(which)) {
        if (say(key) && found.getAttribute("aria-label") !== say(key)) found.setAttribute("aria-label", say(key))
      }
    }
    for (const [icon, key] of [["copy", "copy"], ["arrow-down", "down"], ["ellipsis", "options"]]) {
      for (const found of document.querySelectorAll(`button:has(> svg.lucide-${icon}):not([aria-label])`)) {
        if (say(key)) found.setAttribute("aria-label", say(key))
      }
    }
    for (const image of document.querySelectorAll('img[alt^="Avatar for"], img[alt="logo"]')) image.alt = image.alt === "logo" ? "HomeGuard" : ""
    const main = document.querySelector("main")
    if (main && say("chat") && main.getAttribute("aria-label") !== say("chat")) main.setAttribute("aria-label", say("chat"))
    const side = document.querySelector('[data-sidebar="sidebar"]')
    if (side && say("conversations") && !side.getAttribute("aria-label")) { side.setAttribute("role", "navigation"); side.setAttribute("aria-label", say("conversations")) }
    if (document.documentElement.lang !== language) document.documentElement.lang = language
  }

  // -- the first screen -------------------------------------------------------------------------------------------

  const drawStatus = () => {
    const screen = document.getElementById("welcome-screen")
    if (!screen || !status) return
    const old = document.getElementById("hg-status")
    const drawn = JSON.stringify([status, language])
    if (old && old.dataset.drawn === drawn) return
    const fresh = make("div", { id: "hg-status", role: "status", "data-tone": status.tone },
      make("h1", {}, status.name ? say("hello_name", status) : say("hello")), make("p", {}, status.text))
    fresh.dataset.drawn = drawn
    if (old) old.replaceWith(fresh)
    else screen.insertBefore(fresh, screen.querySelector("#message-composer") || screen.children[1] || null)
  }

  // -- the home ---------------------------------------------------------------------------------------------------

  const drawHome = () => {
    const header = document.getElementById("header")
    if (!header || !home) return
    const old = document.getElementById("hg-home")
    const drawn = JSON.stringify([home, language])
    if (old && old.dataset.drawn === drawn && old.previousElementSibling === header) return
    const focused = old && old.contains(document.activeElement) ? document.activeElement.id : ""
    const list = make("dl", { id: "hg-home-rows" })
    for (const row of home.rows) {
      list.append(make("div", { class: "hg-home-row", "data-tone": row.tone, "data-icon": row.icon }, make("dt", {}, row.label), make("dd", {}, row.value)))
    }
    const fold = make("button", { id: "hg-home-fold", type: "button", "aria-expanded": String(unfolded), "aria-controls": "hg-home-body" },
      make("span", { class: "hg-home-short" }, home.short), make("span", { class: "hg-unseen" }, say(unfolded ? "less" : "more")))
    fold.addEventListener("click", () => { unfolded = !unfolded; drawHome.again() })
    const close = (event) => { if (event.key === "Escape" && unfolded) { unfolded = false; drawHome.again(); document.getElementById("hg-home-fold")?.focus() } }
    const choice = make("select", { id: "hg-language", "aria-label": say("language") })
    for (const [code, called] of Object.entries(languages)) {
      const option = make("option", { value: code, lang: code }, called)
      option.selected = code === language
      choice.append(option)
    }
    choice.addEventListener("change", () => {
      document.cookie = "homeguard_language=" + choice.value + "; path=/; max-age=31536000; samesite=strict"
      location.reload()
    })
    const fresh = make("aside", { id: "hg-home", "aria-label": say("home"), "data-tone": home.tone, "data-unfolded": String(unfolded) },
      make("h2", {}, home.head), fold, make("div", { id: "hg-home-body" }, list, make("div", { class: "hg-home-foot" }, choice)))
    fresh.dataset.drawn = drawn
    fresh.addEventListener("keydown", close)
    if (old) old.remove()
    header.after(fresh)
    if (focused) document.getElementById(focused)?.focus()
  }
  drawHome.again = () => { const old = document.getElementById("hg-home"); if (old) old.dataset.drawn = ""; drawHome() }

  // -- what the server tells the page -----------------------------------------------------------------------------

  window.addEventListener("message", (event) => {
    if (event.source !== window || !event.data || !event.data.homeguard) return
    const told = event.data.homeguard
    if (told.signed_out) toLogin()
    if (told.status) { status = told.status; drawStatus() }
    if (told.home) { home = told.home; drawHome() }
    if (told.announce) announce(say("said", { text: told.announce }))
    if (told.thread) {
      const path = THREAD + encodeURIComponent(told.thread)
      if (location.pathname !== path && (location.pathname === HOME || location.pathname.startsWith(THREAD))) {
        history.replaceState(history.state, "", path)
      }
    }
  })

  const draw = () => { drawStatus(); drawHome(); name() }
  const learnWords = async () => {
    try {
      const told = await (await ask("/chat/words", { cache: "no-cache" })).json()
      words = told.words; languages = told.languages; language = told.language
      if (!document.getElementById("hg-skip")) {
        const skip = make("a", { id: "hg-skip", href: "#chat-input" }, say("skip"))
        skip.addEventListener("click", (event) => { event.preventDefault(); document.getElementById("chat-input")?.focus() })
        document.body.prepend(skip)
      }
      draw()
    } catch (error) { setTimeout(learnWords, 1000) }
  }
  learnWords()

  let due = false
  new MutationObserver(() => {
    if (due) return
    due = true
    requestAnimationFrame(() => { due = false; draw() })
  }).observe(document.documentElement, { childList: true, subtree: true })
})()
