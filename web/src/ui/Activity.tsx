// What went on in a range of time: figures and charts.
import { useMemo, useState, type ReactNode } from 'react'
import { RANGES, useBacklog, useSeries, type Range, type Scope } from '@/api/stats'
import { count } from '@/lib/bytes'
import { Chart } from './Chart'
import { Select } from './Field'
import { Section } from './Page'
import { Failure, Skeleton } from './State'
import { Ago } from './Time'

interface ActivityProps {
  scope: Scope
  more?: (range: Range) => ReactNode // below the charts
}

export function Activity({ scope, more }: ActivityProps) {
  const [range, setRange] = useState<Range>('day')
  const series = useSeries(scope, range)
  const backlog = useBacklog(scope)
  const data = series.data?.data
  const times = useMemo(() => data?.map(bucket => bucket.at) ?? [], [data])
  const attempts = useMemo(
    () => [
      { label: 'Succeeded', colour: '--good', values: data?.map(bucket => bucket.success) ?? [] },
      { label: 'Failed', colour: '--bad', values: data?.map(bucket => bucket.failure) ?? [] },
    ],
    [data],
  )
  const durations = useMemo(
    () => [
      { label: 'Half', colour: '--good', values: data?.map(bucket => bucket.durationMs.p50) ?? [] },
      { label: '95 %', colour: '--accent', values: data?.map(bucket => bucket.durationMs.p95) ?? [] },
      { label: '99 %', colour: '--warn', values: data?.map(bucket => bucket.durationMs.p99) ?? [] },
    ],
    [data],
  )

  if (series.error) return <Failure error={series.error} retry={() => void series.refetch()} />
  if (!series.data) return <Skeleton lines={6} />
  const { total } = series.data
  const tried = total.success + total.failure
  const waiting = backlog.data
  const figures: [string, ReactNode][] = [
    ...(total.messages === undefined ? [] : [['Messages', count(total.messages)] as [string, string]]),
    ['Attempts', count(tried)],
    ['Succeeded', tried > 0 ? `${((100 * total.success) / tried).toFixed(1)} %` : '–'],
    ['Given up', count(total.exhausted)],
    ['Half within', total.durationMs.p50 === null ? '–' : `${count(total.durationMs.p50)} ms`],
    ['Waiting now', waiting ? `${count(waiting.waiting)}${waiting.capped ? '+' : ''}` : '–'],
    ['Oldest due', waiting?.oldestDueAt ? <Ago at={waiting.oldestDueAt} /> : '–'],
  ]
  return (
    <Section
      title="Activity"
      actions={<Select label="Range" compact value={range} onChange={value => setRange(value as Range)} options={RANGES} />}
    >
      <dl className="figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div className="halves">
        <Chart label="Attempts" times={times} end={series.data.until} lines={attempts} bars />
        <Chart label="How long attempts take, in ms" times={times} end={series.data.until} lines={durations} />
      </div>
      {more?.(range)}
    </Section>
  )
}
