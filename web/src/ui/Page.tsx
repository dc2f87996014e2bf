import { useEffect, type ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { isPortal } from '@/api/credential'
import { Icon } from './Icon'

interface PageProps {
  title: string
  above?: [text: string, href: string][] // the pages that lead here
  note?: ReactNode // beside the title
  actions?: ReactNode
  children: ReactNode
}

export function Page({ title, above = [], note, actions, children }: PageProps) {
  const crumbs = above.filter(([, href]) => !(isPortal && href === '/app'))
  useEffect(() => {
    document.title = `${title} · Posthorn`
  }, [title])
  return (
    <div className="page">
      {crumbs.length > 0 && (
        <nav aria-label="Above this page" className="crumbs">
          {crumbs.map(([text, href]) => (
            <span key={href}>
              <Link href={href}>{text}</Link>
              <Icon name="right" />
            </span>
          ))}
        </nav>
      )}
      <header className="page-head">
        <div className="page-title">
          <h1>{title}</h1>
          {note}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

// Tabs are links: each has an address of its own.
export function Tabs({ label, tabs }: { label: string; tabs: [text: string, href: string][] }) {
  const [location] = useLocation()
  return (
    <nav aria-label={label} className="tabs">
      {tabs.map(([text, href]) => (
        <Link key={href} href={href} aria-current={location === href ? 'page' : undefined}>
          {text}
        </Link>
      ))}
    </nav>
  )
}

export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <header className="section-head">
        <h2>{title}</h2>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </section>
  )
}

// Names and values, one below the other.
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
