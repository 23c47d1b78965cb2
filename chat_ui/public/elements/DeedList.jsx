import { CheckCircle2, ChevronRight, CircleDashed, CircleHelp, CircleSlash, LoaderCircle, Search, TriangleAlert } from "lucide-react"

const ICONS = { done: CheckCircle2, waiting: CircleDashed, unsure: CircleHelp, wrong: TriangleAlert, over: CircleSlash }

export default function DeedList() {
  const rows = props.rows || []
  const words = props.words || {}
  if (props.running) {
    return <div className="hg-deeds-running" data-testid="deeds-running" role="status"><LoaderCircle aria-hidden="true" />{props.head}</div>
  }
  return (
    <details className="hg-deeds" data-testid="deeds">
      <summary><ChevronRight aria-hidden="true" />{props.head}</summary>
      <ol>
        {rows.map((row, i) => {
          const Icon = row.kind === "read" && row.look === "done" ? Search : ICONS[row.look] || CircleHelp
          return (
            <li key={i} className={"hg-deed hg-step-" + row.look} data-look={row.look} data-kind={row.kind}>
              <Icon aria-hidden="true" />
              <div className="hg-deed-words">
                <div><span className="hg-deed-text">{row.text}</span>{row.said ? <span className="hg-deed-said"> · {row.said}</span> : null}</div>
                {row.why ? <div className="hg-deed-why">{row.why}</div> : null}
                <details className="hg-deed-raw"><summary>{words.raw}</summary><pre tabIndex={0}>{row.raw}</pre></details>
              </div>
            </li>)
        })}
      </ol>
    </details>)
}
