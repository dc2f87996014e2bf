import { Link } from 'wouter'
import { type Schemas } from '@/api/client'
import { useAttention } from '@/api/stats'
import { count } from '@/lib/bytes'
import { Section } from '@/ui/Page'
import { Badge, Failure } from '@/ui/State'
import { Ago } from '@/ui/Time'

type Trouble = Schemas['EndpointAttention']

// Endpoints in trouble; nothing while all is well.
export function Attention() {
  const { data, error, refetch } = useAttention()
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />
  if (!data || data.data.length === 0) return null
  return (
    <Section title="Endpoints that need attention">
      <ul className="troubles" aria-label="Endpoints that need attention">
        {data.data.map(one => (
          <li key={one.endpointId}>
            <State trouble={one} />
            <span className="grow">
              <Link href={`/app/${one.appId}/endpoint/${one.endpointId}`}>{one.description || one.url}</Link>
              <span className="quiet"> {one.appName}</span>
            </span>
            <span className="quiet">
              <Why trouble={one} />
            </span>
          </li>
        ))}
      </ul>
      {data.capped && <p className="hint">These are the first {data.data.length}; there may be more.</p>}
    </Section>
  )
}

function State({ trouble: { reasons } }: { trouble: Trouble }) {
  if (reasons.includes('disabled')) return <Badge tone="quiet">Disabled</Badge>
  if (reasons.includes('failing')) return <Badge tone="bad">Failing</Badge>
  return reasons.includes('overdue') ? <Badge tone="warn">Behind</Badge> : <Badge tone="warn">Unreliable</Badge>
}

function Why({ trouble }: { trouble: Trouble }) {
  const { reasons, disabledReason, failingSince, nextAttempt, oldestDueAt, success, failure } = trouble
  if (reasons.includes('disabled')) return disabledReason
  if (reasons.includes('failing') && failingSince)
    return (
      <>
        no success since the first failure, <Ago at={failingSince} />
        {nextAttempt && (
          <>
            ; next attempt <Ago at={nextAttempt} dueWord="due now" />
          </>
        )}
      </>
    )
  if (reasons.includes('overdue') && oldestDueAt)
    return (
      <>
        something is due since <Ago at={oldestDueAt} />
      </>
    )
  return `${count(failure)} of ${count(success + failure)} attempts failed in the last day`
}
