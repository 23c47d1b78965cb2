import { CheckCircle2, CircleDashed, CircleHelp, CircleSlash, TriangleAlert } from "lucide-react"

const ICONS = { done: CheckCircle2, waiting: CircleDashed, unsure: CircleHelp, wrong: TriangleAlert, over: CircleSlash }

export default function PlanList() {
  const steps = props.steps || []
  const done = steps.filter((step) => step.look === "done").length
  return (
    <section className="hg-plan" aria-label={props.name} data-testid="plan-list">
      <div className="hg-plan-head" aria-live="polite">{props.head}</div>
      <div className="hg-plan-bar" aria-hidden="true"><i style={{ width: (steps.length ? (100 * done) / steps.length : 0) + "%" }} /></div>
      <ol>
        {steps.map((step, i) => {
          const Icon = ICONS[step.look] || CircleHelp
          return (
            <li key={i} className={"hg-step hg-step-" + step.look} data-look={step.look}>
              <Icon aria-hidden="true" />
              <span className="hg-step-text">{step.shown}</span>
              <span className="hg-step-said">{step.said}</span>
            </li>)
        })}
      </ol>
    </section>)
}
