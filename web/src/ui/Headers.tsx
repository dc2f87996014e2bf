// Header lines as they were sent.
export function Headers({ rows }: { rows: string[][] }) {
  if (rows.length === 0) return null
  return (
    <dl className="headers">
      {rows.map(([name, value], i) => (
        <div key={i}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
