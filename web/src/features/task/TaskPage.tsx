import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useParams } from 'wouter'
import { useAccess } from '@/api/access'
import { api, take } from '@/api/client'
import { count } from '@/lib/bytes'
import { Button } from '@/ui/Button'
import { ActionDialog } from '@/ui/Dialog'
import { Facts, Page } from '@/ui/Page'
import { Badge, Failure, Note, Skeleton } from '@/ui/State'
import { Time } from '@/ui/Time'
import { tell } from '@/ui/Toast'
import { kindOf, stateOf } from './words'

export default function TaskPage() {
  const { task: id = '' } = useParams()
  const queries = useQueryClient()
  const { mayOwn } = useAccess()
  const [cancelling, setCancelling] = useState(false)
  const {
    data: task,
    error,
    refetch,
  } = useQuery({
    queryKey: ['task', id],
    queryFn: () => take(api.GET('/api/v1/background-task/{task_id}', { params: { path: { task_id: id } } })),
    refetchInterval: ({ state }) => (state.data && state.data.status !== 'running' ? false : 1000),
  })
  const above: [string, string][] = [['Background tasks', '/task']]
  if (error) return <Page title="Background task" above={above} children={<Failure error={error} retry={() => void refetch()} />} />
  if (!task) return <Skeleton lines={5} />
  const { data } = task
  const [state, tone] = stateOf(task)
  const endpoint = `/app/${data.appId}/endpoint/${data.endpointId}`
  return (
    <Page
      title={kindOf(task)}
      above={above}
      note={<Badge tone={tone}>{state}</Badge>}
      actions={mayOwn && task.status === 'running' && <Button onPress={() => setCancelling(true)}>Cancel…</Button>}
    >
      {data.total !== null ? (
        <label className="progress">
          <span className="number">
            {count(data.done)} of {count(data.total)} looked at
          </span>
          <progress max={Math.max(1, data.total)} value={task.status === 'finished' ? Math.max(1, data.total) : data.done} />
        </label>
      ) : (
        <p className="number">{count(data.done)} looked at so far.</p>
      )}
      {data.error && <Note tone="bad">{data.error}</Note>}
      <Facts
        facts={[
          ['Sent again', <span className="number">{count(data.queued)}</span>],
          ['Endpoint', <Link href={endpoint}>{data.endpointId}</Link>],
          ['Started', <Time at={data.createdAt} />],
          ['Changed', <Time at={task.updatedAt} />],
          ['Id', <code>{task.id}</code>],
        ]}
      />
      {cancelling && (
        <ActionDialog
          title="Cancel this task?"
          action="Cancel the task"
          danger
          onClose={() => setCancelling(false)}
          run={async () => {
            await take(api.POST('/api/v1/background-task/{task_id}/cancel', { params: { path: { task_id: id } } }))
            await queries.invalidateQueries({ queryKey: ['task'] })
            tell.done('The task stops here.')
          }}
        >
          <p>It goes no further. The {count(data.queued)} messages that it has sent again so far stay sent.</p>
        </ActionDialog>
      )}
    </Page>
  )
}
