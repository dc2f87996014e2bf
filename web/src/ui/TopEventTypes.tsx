import { useEventTypeStats, type Range } from '@/api/stats'
import { count } from '@/lib/bytes'
import { Failure } from './State'

const SHOWN = 10

// Of an application, or of the whole tenant.
export function TopEventTypes({ app, range }: { app?: string; range: Range }) {
  const { data, error } = useEventTypeStats(app, range)
  if (error) return <Failure error={error} />
  const rows = Object.entries(data?.by_event_type ?? {})
    .map(([name, { success, failure }]) => ({ name, success, failure }))
    .sort((a, b) => b.success + b.failure - a.success - a.failure)
    .slice(0, SHOWN)
  if (rows.length === 0) return null
  const most = rows[0]!.success + rows[0]!.failure
  return (
    <table className="bars">
      <caption>Attempts by event type</caption>
      <thead>
        <tr>
          <th scope="col">Event type</th>
          <th scope="col">Succeeded</th>
          <th scope="col">Failed</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, success, failure }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{count(success)}</td>
            <td>{count(failure)}</td>
            <td aria-hidden="true">
              <span className="bar-good" style={{ width: `${(100 * success) / most}%` }} />
              <span className="bar-bad" style={{ width: `${(100 * failure) / most}%` }} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
