import type { Attempt } from '@/api/client'
import { statusOf } from '@/lib/status'
import { Body } from './Code'
import { Dialog } from './Dialog'
import { Facts } from './Page'
import { Badge } from './State'
import { Time } from './Time'

export function AttemptOutcome({ attempt }: { attempt: Attempt }) {
  const [, tone] = statusOf(attempt.statusText)
  return <Badge tone={tone}>{attempt.responseStatusCode === 0 ? 'No answer' : String(attempt.responseStatusCode)}</Badge>
}

export function AttemptDialog({ attempt, onClose }: { attempt: Attempt; onClose: () => void }) {
  return (
    <Dialog title="Attempt" onClose={onClose} wide>
      <Facts
        facts={[
          ['Outcome', <AttemptOutcome attempt={attempt} />],
          ['Time', <Time at={attempt.timestamp} />],
          ['Took', `${attempt.responseDurationMs} ms`],
          ['URL', attempt.url],
          ['Started by', attempt.triggerType === 1 ? 'hand' : 'schedule'],
          ['Id', <code>{attempt.id}</code>],
        ]}
      />
      <h3>{attempt.responseStatusCode === 0 ? 'What went wrong' : 'Answer'}</h3>
      <Body text={attempt.response} label="Answer" />
    </Dialog>
  )
}
