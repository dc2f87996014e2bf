// A chart over time with its table twin, for eyes and for everything else.
import { useEffect, useRef } from 'react'
import uPlot, { type AlignedData, type Options, type Series } from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { local } from '@/lib/time'

export interface Line {
  label: string
  colour: string // a token: "--good"
  values: (number | null)[]
}

interface ChartProps {
  label: string
  times: string[]
  lines: Line[]
  end: string // of the last interval
  bars?: boolean // stacked, the first line at the bottom
}

const HEIGHT_PX = 180

export function Chart({ label, times, end, lines, bars = false }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)

  useEffect(() => {
    const element = box.current
    if (!element) return
    let plot: uPlot | undefined
    const draw = () => {
      plot?.destroy()
      plot = new uPlot(optionsOf(element, lines, bars, seconds(times[0] ?? end), seconds(end)), dataOf(times, lines, bars), element)
    }
    draw()
    const resized = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT_PX }))
    resized.observe(element)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', draw)
    const themed = new MutationObserver(draw)
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      resized.disconnect()
      themed.disconnect()
      dark.removeEventListener('change', draw)
      plot?.destroy()
    }
  }, [times, end, lines, bars])

  return (
    <figure className="chart">
      <figcaption>
        <h3>{label}</h3>
        <ul className="legend" aria-hidden="true">
          {lines.map(line => (
            <li key={line.label} className={`legend${line.colour}`}>
              {line.label}
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} className="plot" aria-hidden="true" />
      <details>
        <summary>As a table</summary>
        <div className="chart-table" tabIndex={0} role="region" aria-label={`${label}, table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {lines.map(line => (
                  <th key={line.label} scope="col">
                    {line.label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times
                .map((time, i) => (
                  <tr key={time}>
                    <th scope="row">{local(time)}</th>
                    {lines.map(line => (
                      <td key={line.label}>{line.values[i] ?? '–'}</td>
                    ))}
                  </tr>
                ))
                .reverse()}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  )
}

function seconds(time: string) {
  return new Date(time).getTime() / 1000
}

const TWO_DAYS_S = 2 * 86_400
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })

function dataOf(times: string[], lines: Line[], bars: boolean): AlignedData {
  const x = times.map(seconds)
  if (!bars) return [x, ...lines.map(line => line.values)]
  // Stacked: each is drawn as the sum up to it, the highest first.
  const sums = lines.map((_, n) => times.map((_, i) => lines.slice(0, n + 1).reduce((sum, line) => sum + (line.values[i] ?? 0), 0)))
  return [x, ...sums.reverse()]
}

function optionsOf(element: HTMLElement, lines: Line[], bars: boolean, from: number, to: number): Options {
  const style = getComputedStyle(element)
  const colour = (token: string) => {
    // The token is a light-dark(): the browser resolves it on an element.
    element.style.setProperty('outline-color', `var(${token})`)
    const resolved = style.outlineColor
    element.style.removeProperty('outline-color')
    return resolved
  }
  const axis = {
    stroke: colour('--text-quiet'),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
  }
  const series: Series[] = (bars ? [...lines].reverse() : lines).map(line => ({
    label: line.label,
    stroke: colour(line.colour),
    width: bars ? 0 : 1.5,
    ...(bars
      ? { fill: colour(line.colour), paths: uPlot.paths.bars!({ size: [0.8, 40], align: 1 }), points: { show: false } }
      : { points: { show: true, size: 6 } }),
  }))
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { range: [from, to] }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(tick => (to - from > TWO_DAYS_S ? day : clock).format(tick * 1000)) },
      { ...axis, size: 56, values: (_, ticks) => ticks.map(tick => (Number.isInteger(tick) ? String(tick) : '')) },
    ],
    series: [{}, ...series],
  }
}
