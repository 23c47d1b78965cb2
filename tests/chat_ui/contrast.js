/* Every visible text of a page whose contrast with what lies behind it is below AA (4.5, large 3), with its ratio. */
() => {
  const parse = (c) => { const m = c.match(/rgba?\(([^)]+)\)/); if (!m) return null; const p = m[1].split(/[ ,\/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1] }
  const over = (f, b) => [0, 1, 2].map((i) => f[i] * f[3] + b[i] * (1 - f[3])).concat(1)
  const lum = (c) => { const f = c.slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] }
  const bg = (e) => { const layers = []; for (let n = e; n; n = n.parentElement) { const c = parse(getComputedStyle(n).backgroundColor); if (c && c[3] > 0) { layers.push(c); if (c[3] === 1) break } } let b = [255, 255, 255, 1]; for (const l of layers.reverse()) b = over(l, b); return b }
  const found = {}
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility || !e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue
    if (e.closest(".hg-unseen, #hg-live, #hg-skip, script, style, [disabled], [aria-disabled=true]")) continue
    const box = e.getBoundingClientRect(); if (!box.width || !box.height) continue
    const s = getComputedStyle(e); const isSvg = e.closest("svg")
    let f = parse(isSvg ? s.fill : s.color); if (!f) continue
    let alpha = 1; for (let n = e; n; n = n.parentElement) alpha *= Number(getComputedStyle(n).opacity)
    const b = bg(e); f = over([f[0], f[1], f[2], f[3] * alpha], b)
    const [hi, lo] = [lum(f), lum(b)].sort((x, y) => y - x); const ratio = (hi + .05) / (lo + .05)
    const size = parseFloat(s.fontSize); const large = size >= 24 || (size >= 18.66 && Number(s.fontWeight) >= 700)
    if (ratio < (large ? 3 : 4.5)) { const k = (e.className && e.className.baseVal === undefined ? e.className : e.tagName) + "|" + walk.currentNode.textContent.trim().slice(0, 30); found[k] = Math.round(ratio * 100) / 100 }
  }
  return found
}
