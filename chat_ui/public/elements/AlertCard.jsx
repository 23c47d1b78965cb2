import { Info, Siren, TriangleAlert } from "lucide-react"
import { useState } from "react"

const ICONS = { high: Siren, medium: TriangleAlert, low: Info }

export default function AlertCard() {
  const [asked, setAsked] = useState(false)
  const level = props.level || "medium"
  const Icon = ICONS[level] || TriangleAlert
  const words = props.words || {}
  const small = [props.device, props.at].filter(Boolean).join(" · ")
  return (
    <section className={"hg-alert hg-alert-" + level} role="alert" data-testid="alert-card">
      <span className="hg-alert-icon"><Icon aria-hidden="true" /></span>
      <div className="hg-alert-words">
        <div className="hg-alert-title">{props.title}<span className="hg-alert-level">{props.severity}</span></div>
        {props.text ? <div className="hg-alert-text">{props.text}</div> : null}
        {props.help ? <div className="hg-alert-help"><b>{words.help}</b> {props.help}</div> : null}
        {small ? <div className="hg-alert-small">{small}</div> : null}
        {asked ? null : (
          <div className="hg-replies">
            {(props.asks || []).map((ask) => (
              <button key={ask.message} type="button" className="hg-reply" onClick={() => { setAsked(true); sendUserMessage(ask.message) }}>{ask.label}</button>
            ))}
          </div>
        )}
      </div>
    </section>)
}
