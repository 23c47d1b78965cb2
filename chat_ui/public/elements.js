// What is drawn below a message. The library evaluates the source of an element again whenever anything on the page
// changes, and a component that is made anew loses what was typed and unfolded in it: so the sources are two lines
// each, and the components are made here, once.
window.homeguardElements = (() => {
  let made = null

  const make = (React, require) => {
    const icons = require("lucide-react")
    const { Button } = require("@/components/ui/button")
    const { Input } = require("@/components/ui/input")
    const { createElement: h, useEffect, useMemo, useRef, useState, memo } = React
    const icon = (which, otherwise) => h(which || otherwise, { "aria-hidden": "true" })
    const LOOKS = { done: icons.CheckCircle2, waiting: icons.CircleDashed, unsure: icons.CircleHelp, wrong: icons.TriangleAlert, over: icons.CircleSlash }

    // -- a question -----------------------------------------------------------------------------------------------

    const CARDS = {
      unlock: icons.LockOpen, open: icons.DoorOpen, close: icons.DoorClosed, disarm: icons.ShieldOff, power: icons.Power,
      climate: icons.Thermometer, delete: icons.Trash2, shield: icons.ShieldAlert,
    }
    const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0")

    const ConfirmCard = (props) => {
      const words = props.words || {}
      const [busy, setBusy] = useState("")
      const [pin, setPin] = useState("")
      const [failed, setFailed] = useState("")
      // The end is counted from the seconds the server sent, so that a wrong clock in the browser does no harm.
      const end = useMemo(() => Date.now() + (props.left_s || 0) * 1000, [props.id, props.expires_at])
      const [now, setNow] = useState(Date.now())
      const asked = props.state === "open"
      useEffect(() => {
        if (!asked) return
        const timer = setInterval(() => setNow(Date.now()), 1000)
        return () => clearInterval(timer)
      }, [asked])
      useEffect(() => { setBusy("") }, [props.state, props.problem])

      const left = Math.max(0, Math.ceil((end - now) / 1000))
      const state = asked && left === 0 ? "expired" : props.state
      const open = state === "open"
      const problem = failed || props.problem
      const titleId = "card-" + props.id
      const detailId = titleId + "-detail"
      const outcome = props.outcome || []

      const press = async (approve) => {
        if (busy) return
        if (approve && props.pin_required && !pin) { setFailed(words.pin_first); return }
        setBusy(approve ? "yes" : "no"); setFailed("")
        try {
          await props.act({ name: "decide", payload: { id: props.id, approve, pin: approve && props.pin_required ? pin : null } })
        } catch (error) {
          setFailed(words.no_answer)
        } finally { setBusy(""); setPin("") }
      }

      // Escape leaves the card as it is and goes back to the words: no key decides by accident.
      const keys = (event) => {
        if (event.key !== "Escape") return
        event.stopPropagation()
        document.getElementById("chat-input")?.focus()
      }

      const ending = state === "approved" ? (outcome.every((o) => o.outcome === "confirmed") ? icons.CheckCircle2 : icons.TriangleAlert)
        : state === "denied" ? icons.CircleSlash : icons.Clock3

      return h("section", {
        className: "hg-card hg-card-" + state, role: open ? "alertdialog" : "region", "aria-labelledby": titleId,
        "aria-describedby": open ? detailId : undefined, "data-testid": "confirm-card", "data-state": state, onKeyDown: keys,
      },
      h("div", { className: "hg-card-head" },
        h("span", { className: "hg-card-icon" }, icon(CARDS[props.icon], icons.ShieldAlert)),
        h("div", { className: "hg-card-words" }, h("div", { className: "hg-card-title", id: titleId }, props.text)),
        open && h("span", {
          className: "hg-card-clock" + (left <= 30 ? " hg-soon" : ""), role: "timer", "aria-live": "off",
          "aria-label": (words.left || "{n}").replace("{n}", left),
        }, icon(icons.Clock3), clock(left))),
      open && h("div", { className: "hg-card-detail", id: detailId },
        props.before && h("div", null, props.before),
        h("div", null, [props.detail, props.who].filter(Boolean).join(" "))),
      (props.effects || []).length > 0 && h("ul", { className: "hg-card-effects" }, props.effects.map((e, i) => h("li", { key: i }, e))),
      open && h("form", { className: "hg-card-form", onSubmit: (event) => { event.preventDefault(); press(true) } },
        props.pin_required && h(Input, {
          className: "hg-card-pin", type: "password", inputMode: "numeric", autoComplete: "off", maxLength: 12, placeholder: "PIN",
          "aria-label": words.pin, value: pin, onChange: (event) => setPin(event.target.value), disabled: !!busy,
        }),
        h(Button, { type: "submit", disabled: !!busy, "aria-describedby": titleId }, busy === "yes" ? words.moment : props.yes),
        h(Button, { type: "button", variant: "outline", disabled: !!busy, onClick: () => press(false), "aria-describedby": titleId }, busy === "no" ? words.moment : props.no)),
      h("div", { "aria-live": "polite" },
        open && problem && h("div", { className: "hg-card-problem", role: "alert" }, problem),
        !open && h("div", { className: "hg-card-ending" },
          h("div", { className: "hg-card-result" }, icon(ending), state === "expired" ? words.expired : props.result),
          outcome.map((o, i) => h("div", { key: i, className: "hg-card-outcome hg-" + o.outcome }, o.device && h("b", null, o.device), h("span", null, o.said))))))
    }

    // -- a plan ---------------------------------------------------------------------------------------------------

    const PlanList = (props) => {
      const steps = props.steps || []
      const done = steps.filter((step) => step.look === "done").length
      return h("section", { className: "hg-plan", "aria-label": props.name, "data-testid": "plan-list" },
        h("div", { className: "hg-plan-head", "aria-live": "polite" }, props.head),
        h("div", { className: "hg-plan-bar", "aria-hidden": "true" }, h("i", { style: { width: (steps.length ? (100 * done) / steps.length : 0) + "%" } })),
        h("ol", null, steps.map((step, i) => h("li", { key: i, className: "hg-step hg-step-" + step.look, "data-look": step.look },
          icon(LOOKS[step.look], icons.CircleHelp),
          h("span", { className: "hg-step-text" }, step.shown),
          h("span", { className: "hg-step-said" }, step.said)))))
    }

    // -- what was done, and why -----------------------------------------------------------------------------------

    const DeedList = (props) => {
      if (props.running) {
        return h("div", { className: "hg-deeds-running", "data-testid": "deeds-running", role: "status" }, icon(icons.LoaderCircle), props.head)
      }
      return h("details", { className: "hg-deeds", "data-testid": "deeds" },
        h("summary", null, icon(icons.ChevronRight), props.head),
        h("ol", null, (props.rows || []).map((row, i) => h("li", { key: i, className: "hg-deed hg-step-" + row.look, "data-look": row.look, "data-kind": row.kind },
          icon(row.kind === "read" && row.look === "done" ? icons.Search : LOOKS[row.look], icons.CircleHelp),
          h("div", { className: "hg-deed-words" },
            h("div", null, h("span", { className: "hg-deed-text" }, row.text), row.said && h("span", { className: "hg-deed-said" }, " · " + row.said)),
            row.why && h("div", { className: "hg-deed-why" }, row.why),
            h("details", { className: "hg-deed-raw" }, h("summary", null, (props.words || {}).raw), h("pre", { tabIndex: 0 }, row.raw)))))))
    }

    // -- short answers --------------------------------------------------------------------------------------------

    const Replies = ({ replies, name, ask }) => {
      const [sent, setSent] = useState(false)
      if (sent || !(replies || []).length) return null
      return h("div", { className: "hg-replies", role: "group", "aria-label": name, "data-testid": "quick-replies" },
        replies.map((reply) => h("button", { key: reply.message, type: "button", className: "hg-reply", onClick: () => { setSent(true); ask(reply.message) } }, reply.label)))
    }
    const QuickReplies = (props) => h(Replies, props)

    // -- an alert -------------------------------------------------------------------------------------------------

    const AlertCard = (props) => {
      const small = [props.device, props.at].filter(Boolean).join(" · ")
      return h("section", { className: "hg-alert hg-alert-" + props.level, role: "alert", "data-testid": "alert-card" },
        h("span", { className: "hg-alert-icon" }, icon({ high: icons.Siren, low: icons.Info }[props.level], icons.TriangleAlert)),
        h("div", { className: "hg-alert-words" },
          h("div", { className: "hg-alert-title" }, props.title, h("span", { className: "hg-alert-level" }, props.severity)),
          props.text && h("div", { className: "hg-alert-text" }, props.text),
          props.help && h("div", { className: "hg-alert-help" }, h("b", null, (props.words || {}).help), " ", props.help),
          small && h("div", { className: "hg-alert-small" }, small),
          h(Replies, { replies: props.asks, name: props.title, ask: props.ask })))
    }

    // -- a chart --------------------------------------------------------------------------------------------------

    const HEIGHT = 200, TOP = 12, BOTTOM = 26, LEFT = 46, RIGHT = 10

    const Chart = (props) => {
      const box = useRef(null)
      const [width, setWidth] = useState(520)
      // Drawn as wide as it stands, so that its letters keep their size on a phone.
      useEffect(() => {
        if (!box.current) return
        const seen = new ResizeObserver(([entry]) => setWidth(Math.max(220, Math.round(entry.contentRect.width))))
        seen.observe(box.current)
        return () => seen.disconnect()
      }, [])

      const points = props.points || [], ticks = props.ticks || [], marks_ = props.marks || [], words = props.words || {}
      const isLine = props.kind === "line"
      const low = ticks[0], high = ticks[ticks.length - 1], inner = width - LEFT - RIGHT
      const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))
      const times = isLine ? [...points, ...marks_].map((p) => p.at) : []
      const first = Math.min(...times), last = Math.max(...times)
      const x = (at) => LEFT + (inner * (at - first)) / (last - first || 1)

      // A line breaks where nothing was measured, instead of crossing the gap.
      const runs = []
      if (isLine) {
        points.forEach((point, i) => {
          if (!i || point.at - points[i - 1].at > props.gap_s) runs.push([])
          runs[runs.length - 1].push(point)
        })
      }
      const at = (p, value) => x(p.at).toFixed(1) + " " + y(value).toFixed(1)
      const line = (run, of) => run.map((p, i) => (i ? "L" : "M") + at(p, of(p))).join(" ")
      const band = (run) => line(run, (p) => p.high) + " " + [...run].reverse().map((p) => "L" + at(p, p.low)).join(" ") + " Z"
      const step = inner / (points.length || 1)
      const every = Math.ceil(points.length / Math.max(2, Math.floor(inner / 52)))
      // As many marks as have room beside each other; one at an edge leans inwards.
      const room = 14 + 7 * Math.max(0, ...marks_.map((m) => m.label.length))
      const apart = marks_.length > 1 ? (x(marks_[marks_.length - 1].at) - x(marks_[0].at)) / (marks_.length - 1) : inner
      const marks = marks_.filter((_, i) => i % Math.max(1, Math.ceil(room / (apart || 1))) === 0)
      const anchor = (mark) => (x(mark.at) < LEFT + room / 2 - 14 ? "start" : x(mark.at) > width - RIGHT - room / 2 + 14 ? "end" : "middle")
      const heads = isLine ? [words.average, words.low, words.high].map((w) => w + " (" + props.unit + ")") : [props.unit]

      return h("figure", { className: "hg-chart", "data-testid": "chart", "data-kind": props.kind },
        h("figcaption", null, props.title, h("span", null, " · " + props.unit)),
        h("div", { ref: box },
          h("svg", { role: "img", "aria-label": props.text, width: "100%", height: HEIGHT, viewBox: "0 0 " + width + " " + HEIGHT },
            ticks.map((tick) => h("g", { key: tick },
              h("line", { className: "hg-chart-grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
              h("text", { x: LEFT - 8, y: y(tick) + 4, textAnchor: "end" }, tick))),
            isLine ? runs.map((run, i) => h("g", { key: i },
              h("path", { className: "hg-chart-band", d: band(run) }),
              h("path", { className: "hg-chart-line", d: line(run, (p) => p.value) }),
              run.length === 1 && h("circle", { className: "hg-chart-dot", cx: x(run[0].at), cy: y(run[0].value), r: 3 })))
              : points.map((point, i) => h("g", { key: i },
                h("rect", { className: "hg-chart-bar", x: LEFT + step * (i + 0.15), width: step * 0.7, rx: 3, y: y(point.value), height: Math.max(1, y(low) - y(point.value)) }),
                i % every === 0 && h("text", { x: LEFT + step * (i + 0.5), y: HEIGHT - 8, textAnchor: "middle" }, point.label))),
            marks.map((mark) => h("text", { key: mark.at, x: x(mark.at), y: HEIGHT - 8, textAnchor: anchor(mark) }, mark.label)))),
        h("p", { className: "hg-chart-text" }, props.text),
        h("details", { className: "hg-chart-table" },
          h("summary", null, words.table),
          h("div", { tabIndex: 0, role: "region", "aria-label": props.title },
            h("table", null,
              h("thead", null, h("tr", null, [words.when, ...heads].map((w) => h("th", { key: w, scope: "col" }, w)))),
              h("tbody", null, points.map((p, i) => h("tr", { key: i },
                h("th", { scope: "row" }, p.label), h("td", null, p.value), isLine && h("td", null, p.low), isLine && h("td", null, p.high))))))))
    }

    return Object.fromEntries(Object.entries({ ConfirmCard, PlanList, DeedList, QuickReplies, AlertCard, Chart }).map(([name, part]) => [name, memo(part)]))
  }

  return (...parts) => (made = made || make(...parts))
})()
