// A list of records as a table: one row a record, dense, virtual when it is long, two lines a row on a narrow screen.
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, type ReactNode } from 'react'
import { Link } from 'wouter'
import type { Pages } from '@/api/pages'
import { Button } from './Button'
import { Failure, Skeleton } from './State'

export interface Column<T> {
  title: string
  width: string // of a CSS grid
  cell: (item: T) => ReactNode
  align?: 'end'
  named?: boolean // on a narrow screen its title stands before the value
}

interface ListProps<T> {
  label: string
  pages: Pages<T>
  columns: Column<T>[] // the first one leads to the record
  keyOf: (item: T) => string
  href?: (item: T) => string
  empty: ReactNode
  end?: string
}

const ROW_PX = 39

export function List<T>({ label, pages, columns, keyOf, href, empty, end = 'That is all.' }: ListProps<T>) {
  const { items } = pages
  const box = useRef<HTMLDivElement>(null)
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW_PX,
    overscan: 20,
    scrollMargin: box.current?.offsetTop ?? 0,
  })
  const rows = virtual.getVirtualItems()
  const lastShown = rows.at(-1)?.index ?? 0
  const nearEnd = items.length > 0 && lastShown >= items.length - 10

  useEffect(() => {
    if (nearEnd && pages.hasMore && !pages.error && items.length >= 100) pages.loadMore()
  })

  if (pages.isLoading) return <Skeleton lines={6} />
  if (pages.error && items.length === 0) return <Failure error={pages.error} retry={pages.reload} />
  if (items.length === 0) return empty

  const above = (rows[0]?.start ?? 0) - virtual.options.scrollMargin
  const below = virtual.getTotalSize() + virtual.options.scrollMargin - (rows.at(-1)?.end ?? 0)
  const template = { gridTemplateColumns: columns.map(column => column.width).join(' ') }
  return (
    <div ref={box}>
      <div role="table" aria-label={label} aria-rowcount={pages.hasMore ? -1 : items.length + 1} className="list">
        <div role="rowgroup">
          <div role="row" aria-rowindex={1} className="list-head" style={template}>
            {columns.map(column => (
              <div key={column.title} role="columnheader" className={column.align}>
                {column.title}
              </div>
            ))}
          </div>
        </div>
        <div role="rowgroup" style={{ paddingTop: Math.max(0, above), paddingBottom: Math.max(0, below) }}>
          {rows.map(({ index }) => {
            const item = items[index]!
            return (
              <div
                key={keyOf(item)}
                ref={virtual.measureElement}
                data-index={index}
                role="row"
                aria-rowindex={index + 2}
                className={href ? 'list-row leads' : 'list-row'}
                style={template}
              >
                {columns.map((column, i) => (
                  <div key={column.title} role="cell" className={column.align} data-title={column.named ? column.title : undefined}>
                    {i === 0 && href ? (
                      <Link href={href(item)} className="row-link">
                        {column.cell(item)}
                      </Link>
                    ) : (
                      column.cell(item)
                    )}
                  </div>
                ))}
              </div>
            )
          })}
        </div>
      </div>
      <div className="list-foot">
        {pages.error ? (
          <Failure error={pages.error} retry={pages.loadMore} />
        ) : pages.hasMore ? (
          <Button onPress={pages.loadMore} isDisabled={pages.isLoadingMore}>
            {pages.isLoadingMore ? 'Loading…' : 'Load more'}
          </Button>
        ) : (
          <p className="quiet">{end}</p>
        )}
      </div>
    </div>
  )
}
