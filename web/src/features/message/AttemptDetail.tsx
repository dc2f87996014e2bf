import { useQuery } from '@tanstack/react-query'
import { api, take, type Attempt } from '@/api/client'
import { Body } from '@/ui/Code'
import { Headers } from '@/ui/Headers'
import { Failure, Skeleton } from '@/ui/State'

// What went out and what came back, side by side.
export function AttemptDetail({ app, attempt }: { app: string; attempt: Attempt }) {
  const headers = useQuery({
    queryKey: ['attempt', app, attempt.id, 'headers'],
    queryFn: () =>
      take(
        api.GET('/api/v1/app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/headers', {
          params: { path: { app_id: app, msg_id: attempt.msgId, attempt_id: attempt.id } },
        }),
      ),
    staleTime: Infinity,
  })
  const sent = Object.entries(headers.data?.sentHeaders ?? {})
  const hidden = (headers.data?.sensitive ?? []).map(name => [name, 'hidden'])
  return (
    <div className="halves details-body">
      <div role="group" className="stack" aria-label="Request">
        <h3>Request</h3>
        <p className="mono">POST {attempt.url}</p>
        {headers.isPending && <Skeleton lines={4} />}
        {headers.error && <Failure error={headers.error} />}
        <Headers rows={[...sent, ...hidden]} />
      </div>
      <div role="group" className="stack" aria-label="Answer">
        <h3>{attempt.responseStatusCode === 0 ? 'No answer' : `Answer ${attempt.responseStatusCode}`}</h3>
        <p className="quiet number">after {attempt.responseDurationMs} ms</p>
        <Headers rows={headers.data?.responseHeaders ?? []} />
        <Body text={attempt.response} label={`Answer of ${attempt.id}`} />
      </div>
    </div>
  )
}
