import { useEffect, useRef, useState } from "react"

const HEIGHT = 200
const TOP = 12
const BOTTOM = 26
const LEFT = 46
const RIGHT = 10

export default function Chart() {
  const box = useRef(null)
  const [width, setWidth] = useState(520)
  // Drawn as wide as it stands, so that its letters keep their size on a phone.
  useEffect(() => {
    if (!box.current) return
    const seen = new ResizeObserver(([entry]) => setWidth(Math.max(220, Math.round(entry.contentRect.width))))
    seen.observe(box.current)
    return () => seen.disconnect()
  }, [])

  const points = props.points || []
  const ticks = props.ticks || []
  const words = props.words || {}
  const low = ticks[0]
  const high = ticks[ticks.length - 1]
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))
  const inner = width - LEFT - RIGHT
  const isLine = props.kind === "line"
  const times = isLine ? [...points.map((p) => p.at), ...(props.marks || []).map((m) => m.at)] : []
  const first = Math.min(...times)
  const last = Math.max(...times)
  const x = (at) => LEFT + (inner * (at - first)) / (last - first || 1)

  // A line breaks where nothing was measured, instead of crossing the gap.
  const runs = []
  if (isLine) {
    points.forEach((point, i) => {
      if (!i || point.at - points[i - 1].at > props.gap_s) runs.push([])
      runs[runs.length - 1].push(point)
    })
  }
  const path = (run, of) => run.map((p, i) => (i ? "L" : "M") + x(p.at).toFixed(1) + " " + y(of(p)).toFixed(1)).join(" ")
  const band = (run) => path(run, (p) => p.high) + " " + [...run].reverse().map((p) => "L" + x(p.at).toFixed(1) + " " + y(p.low).toFixed(1)).join(" ") + " Z"
  const step = inner / (points.length || 1)
  const every = Math.ceil(points.length / Math.max(2, Math.floor(inner / 52)))
  const marks = (props.marks || []).filter((_, i, all) => inner > 420 || i % 2 === 0 || all.length < 4)
  const anchor = (i) => (i === 0 ? "start" : i === marks.length - 1 ? "end" : "middle")

  return (
    <figure className="hg-chart" data-testid="chart" data-kind={props.kind}>
      <figcaption>{props.title}<span> · {props.unit}</span></figcaption>
      <div ref={box}>
        <svg role="img" aria-label={props.text} width="100%" height={HEIGHT} viewBox={"0 0 " + width + " " + HEIGHT}>
          {ticks.map((tick) => (
            <g key={tick}>
              <line className="hg-chart-grid" x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} />
              <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end">{tick}</text>
            </g>
          ))}
          {isLine ? runs.map((run, i) => (
            <g key={i}>
              <path className="hg-chart-band" d={band(run)} />
              <path className="hg-chart-line" d={path(run, (p) => p.value)} />
              {run.length === 1 ? <circle className="hg-chart-dot" cx={x(run[0].at)} cy={y(run[0].value)} r="3" /> : null}
            </g>
          )) : points.map((point, i) => (
            <g key={i}>
              <rect className="hg-chart-bar" x={LEFT + step * i + step * 0.15} width={step * 0.7} rx="3" y={y(point.value)} height={Math.max(1, y(low) - y(point.value))} />
              {i % every === 0 ? <text x={LEFT + step * (i + 0.5)} y={HEIGHT - 8} textAnchor="middle">{point.label}</text> : null}
            </g>
          ))}
          {marks.map((mark, i) => <text key={mark.at} x={x(mark.at)} y={HEIGHT - 8} textAnchor={anchor(i)}>{mark.label}</text>)}
        </svg>
      </div>
      <p className="hg-chart-text">{props.text}</p>
      <details className="hg-chart-table">
        <summary>{words.table}</summary>
        <div tabIndex={0} role="region" aria-label={props.title}>
          <table>
            <thead><tr><th scope="col">{words.when}</th>{isLine ? [words.average, words.low, words.high].map((w) => <th key={w} scope="col">{w} ({props.unit})</th>) : <th scope="col">{props.unit}</th>}</tr></thead>
            <tbody>
              {points.map((p, i) => <tr key={i}><th scope="row">{p.label}</th><td>{p.value}</td>{isLine ? <><td>{p.low}</td><td>{p.high}</td></> : null}</tr>)}
            </tbody>
          </table>
        </div>
      </details>
    </figure>)
}
