import { BellRing, Info, Siren, TriangleAlert } from "lucide-react"

const LEVELS = { critical: "high", emergency: "high", high: "high", warning: "medium", medium: "medium", low: "low", info: "low" }
const ICONS = { high: Siren, medium: TriangleAlert, low: Info }

const time = (at) => {
  const date = new Date(at)
  return at && !isNaN(date) ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : ""
}

export default function AlertCard() {
  const level = LEVELS[props.severity] || "medium"
  const Icon = ICONS[level] || BellRing
  const small = [props.device, time(props.at)].filter(Boolean).join(" · ")
  return (
    <section className={"hg-alert hg-alert-" + level} role="alert" data-testid="alert-card">
      <span className="hg-alert-icon"><Icon aria-hidden="true" /></span>
      <div className="hg-alert-words">
        <div className="hg-alert-title">{props.title}<span className="hg-alert-level">{props.severity}</span></div>
        {props.text ? <div className="hg-alert-text">{props.text}</div> : null}
        {small ? <div className="hg-alert-small">{small}</div> : null}
      </div>
    </section>)
}
