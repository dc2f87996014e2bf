// What a tenant has sent, by day, and what it may.
import { useMemo } from 'react'
import type { Schemas } from '@/api/client'
import { count } from '@/lib/bytes'
import { isLimit, QUOTAS } from '@/lib/quota'
import { Chart } from './Chart'
import { Section } from './Page'

const DAY_MS = 86_400_000

export function UsageSection({ days }: { days: Schemas['UsageDay'][] }) {
  const ordered = useMemo(() => [...days].reverse(), [days]) // they come with the newest first
  const times = useMemo(() => ordered.map(one => `${one.day}T00:00:00Z`), [ordered])
  const messages = useMemo(() => [{ label: 'Messages', colour: '--accent', values: ordered.map(one => one.messages) }], [ordered])
  const attempts = useMemo(
    () => [
      { label: 'Succeeded', colour: '--good', values: ordered.map(one => one.attemptsSucceeded) },
      { label: 'Failed', colour: '--bad', values: ordered.map(one => one.attemptsFailed) },
    ],
    [ordered],
  )
  const sum = (of: (day: Schemas['UsageDay']) => number) => count(days.reduce((total, day) => total + of(day), 0))
  const end = new Date(new Date(times.at(-1) ?? Date.now()).getTime() + DAY_MS).toISOString()
  return (
    <Section title={`Last ${days.length} days`}>
      <dl className="figures">
        <div>
          <dt>Messages today</dt>
          <dd>{count(days[0]?.messages ?? 0)}</dd>
        </div>
        <div>
          <dt>Messages</dt>
          <dd>{sum(day => day.messages)}</dd>
        </div>
        <div>
          <dt>Attempts</dt>
          <dd>{sum(day => day.attemptsSucceeded + day.attemptsFailed)}</dd>
        </div>
        <div>
          <dt>Failed</dt>
          <dd>{sum(day => day.attemptsFailed)}</dd>
        </div>
      </dl>
      <div className="halves">
        <Chart label="Messages a day" times={times} end={end} lines={messages} bars />
        <Chart label="Attempts a day" times={times} end={end} lines={attempts} bars />
      </div>
      <p className="quiet">Days are those of UTC. Counts are up to two seconds old.</p>
    </Section>
  )
}

interface QuotasSectionProps {
  plan: string | null
  quotas: Schemas['Quotas']
  own?: Schemas['Quotas'] // of these, the tenant's own
  messagesToday?: number | undefined
}

export function QuotasSection({ plan, quotas, own = {}, messagesToday }: QuotasSectionProps) {
  return (
    <Section title="Quotas">
      <p>{plan ? <>The plan is {plan}.</> : 'There is no plan.'}</p>
      <table className="limits">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">At most</th>
          </tr>
        </thead>
        <tbody>
          {QUOTAS.map(([name, label, show]) => {
            const limit = quotas[name]
            const most = limit !== undefined && isLimit(name, limit) ? limit : undefined
            return (
              <tr key={name}>
                <th scope="row">{label}</th>
                <td>
                  {most === undefined ? (
                    <span className="quiet">{name.endsWith('PerSecond') ? 'as this server says' : 'no limit'}</span>
                  ) : (
                    show(most)
                  )}
                  {own[name] !== undefined && <span className="quiet"> · instead of the plan’s</span>}
                  {name === 'messagesPerDay' && most !== undefined && messagesToday !== undefined && (
                    <span className="used">
                      <progress aria-label="Messages of today" value={Math.min(messagesToday, most)} max={Math.max(most, 1)} />
                      <span className="quiet">{count(messagesToday)} today</span>
                    </span>
                  )}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Section>
  )
}
