// What arrives at a test inbox, live: a list, and beside it the request that is chosen, at first the newest.
import { useState } from 'react'
import { Link } from 'wouter'
import { useArrival, useArrivals, type Arrival } from '@/api/inbox'
import { bytes } from '@/lib/bytes'
import { messageIdOf, verdictOf } from '@/lib/arrival'
import { Button } from './Button'
import { Body } from './Code'
import { Headers } from './Headers'
import { Facts, Section } from './Page'
import { Badge, Empty, Failure, Skeleton } from './State'
import { Ago, Time } from './Time'

const STATES = { connecting: 'Connecting…', listening: 'Listening', away: 'Lost; trying again…' }

export function Arrivals({ app }: { app: string }) {
  const { pages, state } = useArrivals(app)
  const [chosen, setChosen] = useState<string>()
  const shown = pages.items.find(one => one.id === chosen) ?? pages.items[0]
  return (
    <Section title="Arrived" actions={<Badge tone={state === 'listening' ? 'good' : 'quiet'}>{STATES[state]}</Badge>}>
      {pages.error && <Failure error={pages.error} retry={pages.reload} />}
      {pages.isLoading ? (
        <Skeleton lines={4} />
      ) : shown ? (
        <div className="arrivals">
          <div className="stack">
            <ul aria-label="Arrived" className="choices">
              {pages.items.map(one => (
                <li key={one.id}>
                  <button type="button" aria-pressed={one.id === shown.id} onClick={() => setChosen(one.id)}>
                    <Verdict arrival={one} />
                    <span className="grow">
                      {one.method} · {bytes(one.bodyBytes)}
                    </span>
                    <Ago at={one.timestamp} />
                  </button>
                </li>
              ))}
            </ul>
            {pages.hasMore && <Button onPress={pages.loadMore}>Load more</Button>}
          </div>
          <Request app={app} arrival={shown} />
        </div>
      ) : (
        !pages.error && (
          <Empty title="Nothing has arrived yet.">
            <p>What comes shows here at once.</p>
          </Empty>
        )
      )}
    </Section>
  )
}

function Verdict({ arrival }: { arrival: Arrival }) {
  const [text, tone] = verdictOf(arrival.signature)
  return <Badge tone={tone}>{text}</Badge>
}

function Request({ app, arrival }: { app: string; arrival: Arrival }) {
  const { data: request, error } = useArrival(app, arrival.id)
  const message = request && messageIdOf(request.headers)
  return (
    <section className="panel stack" aria-label="Request" aria-live="polite">
      <Facts
        facts={[
          ['Signature', <Verdict arrival={arrival} />],
          ...(arrival.endpointId
            ? [
                ['Endpoint', <Link href={`/app/${app}/endpoint/${arrival.endpointId}`}>{arrival.endpointId}</Link>] as [
                  string,
                  React.ReactNode,
                ],
              ]
            : []),
          ...(message ? [['Message', <Link href={`/app/${app}/msg/${message}`}>{message}</Link>] as [string, React.ReactNode]] : []),
          ['Time', <Time at={arrival.timestamp} />],
          ['Answered', String(arrival.answered)],
        ]}
      />
      {error && <Failure error={error} />}
      {!request && !error && <Skeleton lines={4} />}
      {request && (
        <>
          <h3>Body</h3>
          <Body text={request.body} label="Body" />
          <details>
            <summary>Headers</summary>
            <div className="details-body">
              <Headers rows={request.headers} />
            </div>
          </details>
        </>
      )}
    </section>
  )
}
