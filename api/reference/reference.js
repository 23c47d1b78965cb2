// Shows /openapi.json and lets a person try each operation. Everything comes from this server.
const make = (tag, words, attributes = {}) => {
  const node = document.createElement(tag)
  if (words !== undefined && words !== null) node.textContent = words
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value)
  return node
}
let token = ""
let api = null

const follow = (schema) => (schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, key) => at[key], api) : schema || {})

const sample = (schema, depth = 0) => {
  const shape = follow(schema)
  if (depth > 6) return null
  if (shape.examples) return shape.examples[0]
  if (shape.default !== undefined) return shape.default
  if (shape.const !== undefined) return shape.const
  if (shape.enum) return shape.enum[0]
  const choice = shape.anyOf || shape.oneOf
  if (choice) return sample(choice[0], depth + 1)
  if (shape.type === "array") return [sample(shape.items, depth + 1)]
  if (shape.type === "object") {
    return Object.fromEntries(Object.entries(shape.properties || {}).map(([name, inner]) => [name, sample(inner, depth + 1)]))
  }
  return { string: "", integer: 0, number: 0, boolean: false }[shape.type] ?? null
}

const pretty = (value) => JSON.stringify(value, null, 2)

const attempt = async (method, path, operation, inputs, body, result) => {
  let address = path
  const query = new URLSearchParams()
  const headers = { accept: "application/json" }
  for (const [parameter, input] of inputs) {
    if (parameter.in === "path") address = address.replace("{" + parameter.name + "}", encodeURIComponent(input.value))
    else if (input.value && parameter.in === "query") query.set(parameter.name, input.value)
    else if (input.value) headers[parameter.name] = input.value
  }
  if (query.size) address += "?" + query
  if (token) headers.authorization = "Bearer " + token
  if (body) headers["content-type"] = "application/json"
  result.textContent = "…"
  result.hidden = false
  try {
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body: body ? body.value : undefined })
    if ((answer.headers.get("content-type") || "").startsWith("text/event-stream")) {
      result.textContent = answer.status + "\n"
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        result.textContent = (result.textContent + part.value).slice(-20000)
      }
      return
    }
    const text = await answer.text()
    let shown = text
    try { shown = pretty(JSON.parse(text)) } catch (error) { /* not JSON: shown as it is */ }
    result.textContent = answer.status + "\n" + shown.slice(0, 50000)
  } catch (error) {
    result.textContent = "The server cannot be reached."
  }
}

const fill = (inside, method, path, operation) => {
  if (operation.description) inside.append(make("p", operation.description))
  const inputs = []
  if (operation.parameters) {
    const table = make("table")
    for (const parameter of operation.parameters) {
      const row = make("tr")
      const input = make("input", null, { "aria-label": parameter.name })
      const start = follow(parameter.schema).default
      if (start !== undefined && start !== null) input.placeholder = String(start)
      const words = [parameter.in, parameter.required ? "required" : "", parameter.description || follow(parameter.schema).description || ""]
      row.append(make("td", parameter.name), make("td", words.filter(Boolean).join(", ")))
      const cell = make("td")
      cell.append(input)
      row.append(cell)
      table.append(row)
      inputs.push([parameter, input])
    }
    inside.append(table)
  }
  const content = operation.requestBody && operation.requestBody.content["application/json"]
  let body = null
  if (content) {
    body = make("textarea", null, { "aria-label": "Body", spellcheck: "false" })
    body.value = pretty(sample(content.schema))
    inside.append(body)
  }
  const button = make("button", "Try it", { type: "button" })
  const result = make("pre")
  result.hidden = true
  button.addEventListener("click", () => attempt(method, path, operation, inputs, body, result))
  inside.append(button, result)
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const shape = answer.content && answer.content["application/json"] && answer.content["application/json"].schema
    inside.append(make("p", (status === "default" ? "error" : status) + ": " + (answer.description || "")))
    if (shape && status !== "default") inside.append(make("pre", pretty(sample(shape))))
  }
}

const draw = () => {
  const place = document.getElementById("operations")
  place.replaceChildren()
  place.setAttribute("aria-busy", "false")
  document.getElementById("about").textContent = api.info.description
  const groups = new Map()
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = (operation.tags || ["other"])[0]
      groups.set(tag, [...(groups.get(tag) || []), [method, path, operation]])
    }
  }
  for (const [tag, entries] of groups) {
    const section = make("section")
    section.append(make("h2", tag))
    for (const [method, path, operation] of entries) {
      const box = make("details")
      box.dataset.words = (method + " " + path + " " + (operation.summary || "") + " " + (operation.description || "")).toLowerCase()
      const head = make("summary")
      head.append(make("b", method.toUpperCase(), { class: "method " + method }), make("code", path), make("span", operation.summary))
      const inside = make("div", null, { class: "inside" })
      box.append(head, inside)
      box.addEventListener("toggle", () => { if (!inside.hasChildNodes()) fill(inside, method, path, operation) })
      section.append(box)
    }
    place.append(section)
  }
}

document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase()
  for (const box of document.querySelectorAll("details")) box.hidden = !box.dataset.words.includes(words)
})

document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault()
  const form = new FormData(event.target)
  const answer = await fetch("/api/v1/auth/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: form.get("email"), password: form.get("password") }),
  })
  const said = await answer.json()
  token = answer.ok ? said.access_token : ""
  document.getElementById("who").textContent = answer.ok ? "Signed in as " + said.user.name : said.error.message
})

fetch("/openapi.json").then((answer) => answer.json()).then((document_) => { api = document_; draw() }).catch(() => {
  document.getElementById("operations").textContent = "The document cannot be read."
})
