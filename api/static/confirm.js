// One question of the home: shows it, sends the answer, says what came of it.
const part = (id) => document.getElementById(id)
const id = decodeURIComponent(location.pathname.replace(/\/+$/, "").split("/").pop())
const address = "/api/v1/confirmations/" + encodeURIComponent(id)

const WORDS = {
  unlock: ["Unlock", "Keep locked"],
  open: ["Open", "Keep closed"],
  close: ["Close", "Leave open"],
  disarm: ["Disarm", "Keep armed"],
  turn_on: ["Turn on", "Leave off"],
  turn_off: ["Turn off", "Leave on"],
  delete: ["Delete", "Keep"],
}
const OUTCOMES = { confirmed: "done", sent: "sent, not confirmed yet", failed: "did not work", refused: "refused" }
let card = null
let deadline = 0
let ahead = 0 // milliseconds by which this device's clock is ahead of the server's
let busy = false
let me = "" // the user id of who looks

const complain = (words) => {
  part("problem").textContent = words
  part("problem").hidden = !words
}

const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0")

const finish = () => {
  const by = card.decided_by
  const named = by && typeof by === "object" && by.name
  const who = !by ? "" : named ? " by " + by.name : by === me ? " by you" : " by someone else of your home"
  const words = {
    approved: "Approved" + who,
    denied: "Declined" + who + ". Nothing was changed.",
    expired: "This question has expired. Nothing was changed.",
  }
  const result = part("result")
  result.replaceChildren()
  result.dataset.state = card.state
  const head = document.createElement("strong")
  head.textContent = words[card.state] || card.state
  result.append(head)
  for (const outcome of card.outcome || []) {
    const line = document.createElement("p")
    const device = outcome.device && typeof outcome.device === "object" ? outcome.device.name : outcome.device
    const failed = outcome.outcome === "failed" || outcome.outcome === "refused"
    const why = failed && outcome.reason ? ": " + outcome.reason : ""
    line.textContent = (device || outcome.device_id || "") + " — " + (OUTCOMES[outcome.outcome] || outcome.outcome) + why
    result.append(line)
  }
  result.hidden = false
  part("decide").hidden = true
  part("clock").hidden = true
}

const draw = () => {
  part("text").textContent = card.text
  part("detail").textContent = card.detail || ""
  const effects = card.effects || []
  part("effects").replaceChildren(
    ...(effects.length > 1 ? effects : []).map((effect) => {
      const line = document.createElement("li")
      line.textContent = (effect.device_name || effect.device_id || "") + ": " + String(effect.command || "").replaceAll("_", " ")
      return line
    }),
  )
  const commands = new Set(effects.map((effect) => effect.command))
  const words = (commands.size === 1 && WORDS[[...commands][0]]) || ["Approve", "Don't do it"]
  part("yes").textContent = words[0]
  part("no").textContent = words[1]
  part("pin-field").hidden = !card.pin_required
  part("card").hidden = false
  document.querySelector("main").setAttribute("aria-busy", "false")
  if (card.state !== "open") finish()
}

const take = (fresh) => {
  card = fresh.confirmation || fresh
  deadline = Date.parse(card.expires_at)
  draw()
  tick()
}

const tick = () => {
  if (!card || card.state !== "open") return
  const left = Math.max(0, Math.ceil((deadline + ahead - Date.now()) / 1000))
  part("clock").textContent = left ? "Open for another " + clock(left) : ""
  if (left === 0 && !busy) {
    card = { ...card, state: "expired" }
    finish()
  }
}

const toLogin = () => location.assign("/login?next=" + encodeURIComponent(location.pathname))

const ask = async (method, body) => {
  const answer = await fetch(address, {
    method,
    credentials: "same-origin",
    cache: "no-store",
    headers: { accept: "application/json", ...(body ? { "content-type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
  })
  if (answer.status === 401) {
    toLogin()
    return null
  }
  const served = Date.parse(answer.headers.get("date"))
  if (served) ahead = Date.now() - served
  return answer
}

const load = async () => {
  try {
    const answer = await ask("GET")
    if (!answer) return
    if (!answer.ok) {
      complain(answer.status === 404 ? "There is no such question in your home." : "That did not work. Please try again.")
      return
    }
    const person = await fetch("/api/v1/users/me", { headers: { accept: "application/json" } })
    if (person.ok) {
      const found = await person.json()
      me = found.id || ""
      if (found.home && found.home.name) part("home").textContent = found.home.name + " asks"
    }
    take(await answer.json())
  } catch (error) {
    complain("Your home cannot be reached.")
  }
}

const press = async (approve) => {
  if (busy || !card) return
  const pin = part("pin").value
  if (approve && card.pin_required && !pin) {
    complain("Enter the PIN of your home first.")
    part("pin").focus()
    return
  }
  busy = true
  complain("")
  part("yes").disabled = part("no").disabled = true
  try {
    const answer = await ask("POST", approve && card.pin_required ? { approve, pin } : { approve })
    if (!answer) return
    if (answer.ok) take(await answer.json())
    else if (answer.status === 409) await load()
    else {
      const body = await answer.json().catch(() => ({}))
      complain((body.error && body.error.message) || "That did not work. Please try again.")
    }
  } catch (error) {
    complain("Your home cannot be reached.")
  } finally {
    busy = false
    part("pin").value = ""
    part("yes").disabled = part("no").disabled = false
  }
}

part("decide").addEventListener("submit", (event) => {
  event.preventDefault()
  press(true)
})
part("no").addEventListener("click", () => press(false))
setInterval(tick, 1000)
load()
