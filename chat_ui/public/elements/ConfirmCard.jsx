import { Button } from "@/components/ui/button"
import { Input } from "@/components/ui/input"
import { CheckCircle2, CircleSlash, Clock3, DoorClosed, DoorOpen, LockOpen, Power, ShieldAlert, ShieldOff, Thermometer, Trash2, TriangleAlert } from "lucide-react"
import { useEffect, useMemo, useState } from "react"

const ICONS = { unlock: LockOpen, open: DoorOpen, close: DoorClosed, disarm: ShieldOff, power: Power, climate: Thermometer, delete: Trash2, shield: ShieldAlert }

const clock = (s) => Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0")

export default function ConfirmCard() {
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
  const needsPin = props.pin_required
  const problem = failed || props.problem
  const titleId = "card-" + props.id
  const detailId = titleId + "-detail"

  const press = async (approve) => {
    if (busy) return
    if (approve && needsPin && !pin) { setFailed(words.pin_first); return }
    setBusy(approve ? "yes" : "no"); setFailed("")
    try {
      await callAction({ name: "decide", payload: { id: props.id, approve, pin: approve && needsPin ? pin : null } })
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

  const Icon = ICONS[props.icon] || ShieldAlert
  const done = (props.outcome || []).every((o) => o.outcome === "confirmed")
  const Ending = state === "approved" ? (done ? CheckCircle2 : TriangleAlert) : state === "denied" ? CircleSlash : Clock3

  return (
    <section className={"hg-card hg-card-" + state} role={open ? "alertdialog" : "region"} aria-labelledby={titleId}
      aria-describedby={open ? detailId : undefined} data-testid="confirm-card" data-state={state} onKeyDown={keys}>
      <div className="hg-card-head">
        <span className="hg-card-icon"><Icon aria-hidden="true" /></span>
        <div className="hg-card-words">
          <div className="hg-card-title" id={titleId}>{props.text}</div>
        </div>
        {open ? (
          <span className={"hg-card-clock" + (left <= 30 ? " hg-soon" : "")} role="timer" aria-live="off"
            aria-label={(words.left || "{n}").replace("{n}", left)}><Clock3 aria-hidden="true" />{clock(left)}</span>
        ) : null}
      </div>
      {open ? (
        <div className="hg-card-detail" id={detailId}>
          {props.before ? <div>{props.before}</div> : null}
          <div>{[props.detail, props.who].filter(Boolean).join(" ")}</div>
        </div>
      ) : null}
      {props.effects && props.effects.length ? <ul className="hg-card-effects">{props.effects.map((e, i) => <li key={i}>{e}</li>)}</ul> : null}
      {open ? (
        <form className="hg-card-form" onSubmit={(e) => { e.preventDefault(); press(true) }}>
          {needsPin ? (
            <Input className="hg-card-pin" type="password" inputMode="numeric" autoComplete="off" maxLength={12} placeholder="PIN"
              aria-label={words.pin} value={pin} onChange={(e) => setPin(e.target.value)} disabled={!!busy} />
          ) : null}
          <Button type="submit" disabled={!!busy} aria-describedby={titleId}>{busy === "yes" ? words.moment : props.yes}</Button>
          <Button type="button" variant="outline" disabled={!!busy} onClick={() => press(false)} aria-describedby={titleId}>{busy === "no" ? words.moment : props.no}</Button>
        </form>
      ) : null}
      <div aria-live="polite">
        {open && problem ? <div className="hg-card-problem" role="alert">{problem}</div> : null}
        {!open ? (
          <div className="hg-card-ending">
            <div className="hg-card-result"><Ending aria-hidden="true" />{state === "expired" ? words.expired : props.result}</div>
            {(props.outcome || []).map((o, i) => (
              <div key={i} className={"hg-card-outcome hg-" + o.outcome}>{o.device ? <b>{o.device}</b> : null}<span>{o.said}</span></div>
            ))}
          </div>
        ) : null}
      </div>
    </section>)
}
