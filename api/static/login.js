// Signs in and goes on to where the person wanted to go: a path of this site, or the chat.
const form = document.getElementById("login")
const email = document.getElementById("email")
const password = document.getElementById("password")
const problem = document.getElementById("problem")
const go = document.getElementById("go")
const reveal = document.getElementById("reveal")

const destination = () => {
  const wanted = new URLSearchParams(location.search).get("next")
  if (!wanted || !wanted.startsWith("/") || wanted.startsWith("//") || wanted.includes("\\")) return "/chat/"
  try {
    const url = new URL(wanted, location.origin)
    const stays = url.origin === location.origin && url.pathname !== "/login"
    return stays ? url.pathname + url.search + url.hash : "/chat/"
  } catch (error) {
    return "/chat/"
  }
}

const complain = (words) => {
  problem.textContent = words
  problem.hidden = !words
}

const wordsFor = async (answer) => {
  if (answer.status === 429) {
    const wait = answer.headers.get("retry-after")
    return "Too many attempts. Please try again " + (wait ? "in " + wait + " seconds." : "in a moment.")
  }
  if (answer.status >= 500) return "Something went wrong in the server. Please try again."
  if (answer.status === 401 || answer.status === 403) return "E-mail or password is wrong."
  try {
    const body = await answer.json()
    return (body.error && body.error.message) || "That did not work."
  } catch (error) {
    return "That did not work."
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault()
  if (go.disabled) return
  complain("")
  if (!email.value.trim() || !password.value) {
    complain("Enter your e-mail and your password.")
    ;(email.value.trim() ? password : email).focus()
    return
  }
  go.disabled = true
  go.textContent = "Signing in…"
  try {
    const answer = await fetch("/api/v1/auth/login", {
      method: "POST",
      credentials: "same-origin",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ email: email.value.trim(), password: password.value }),
    })
    if (answer.ok) {
      location.replace(destination())
      return
    }
    complain(await wordsFor(answer))
    password.select()
  } catch (error) {
    complain("The server cannot be reached. Is it running?")
  }
  go.disabled = false
  go.textContent = "Sign in"
})

reveal.addEventListener("click", () => {
  const show = password.type === "password"
  password.type = show ? "text" : "password"
  reveal.textContent = show ? "Hide" : "Show"
  reveal.setAttribute("aria-pressed", String(show))
})

const offerDemo = async () => {
  const answer = await fetch("/api/v1/auth/demo", { headers: { accept: "application/json" } })
  if (!answer.ok) return
  const demo = await answer.json()
  if (!demo.demo || !Array.isArray(demo.users)) return
  const choice = document.getElementById("demo-user")
  for (const user of demo.users) {
    const option = document.createElement("option")
    option.value = user.email
    option.textContent = user.name ? user.name + " (" + user.email + ")" : user.email
    choice.append(option)
  }
  document.getElementById("demo-password").textContent = demo.password || ""
  document.getElementById("demo").hidden = false
  choice.addEventListener("change", () => {
    if (!choice.value) return
    email.value = choice.value
    password.value = demo.password || ""
    complain("")
    go.focus()
  })
}
offerDemo().catch(() => {})
