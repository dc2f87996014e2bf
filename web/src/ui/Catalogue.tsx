// Event types: the tree of their names, and what one of them looks like.
import { useState } from 'react'
import { Link } from 'wouter'
import { examplePayload } from '@/lib/example'
import { treeOf, type Branch } from '@/lib/tree'
import { Body } from './Code'
import { Section } from './Page'
import { Badge, Empty } from './State'

interface Entry {
  name: string
  description: string
  deprecated?: boolean
  archived?: boolean
  schemas?: Record<string, unknown> | null
}

export function Catalogue({ types, href }: { types: Entry[]; href: (name: string) => string }) {
  const byName = new Map(types.map(type => [type.name, type]))
  return (
    <ul className="catalogue">
      {treeOf([...byName.keys()]).map(branch => (
        <Twig key={branch.name} branch={branch} byName={byName} href={href} />
      ))}
    </ul>
  )
}

function Twig({ branch, byName, href }: { branch: Branch; byName: Map<string, Entry>; href: (name: string) => string }) {
  const type = byName.get(branch.name)
  return (
    <li>
      <div className="catalogue-row">
        {type ? (
          <>
            <Link href={href(type.name)} className="row-link" aria-label={type.name}>
              {branch.label}
            </Link>
            <span className="quiet grow">{type.description}</span>
            {type.deprecated && <Badge tone="warn">Deprecated</Badge>}
            {type.archived && <Badge tone="quiet">Archived</Badge>}
            {Object.keys(type.schemas ?? {}).length > 0 && <span className="chip">schema</span>}
          </>
        ) : (
          <span className="quiet">{branch.label}</span>
        )}
      </div>
      {branch.children.length > 0 && (
        <ul>
          {branch.children.map(child => (
            <Twig key={child.name} branch={child} byName={byName} href={href} />
          ))}
        </ul>
      )}
    </li>
  )
}

// Each version of the schema, with an example of it.
export function Schemas({ schemas }: { schemas: Record<string, unknown> | null | undefined }) {
  const versions = Object.keys(schemas ?? {}).sort((a, b) => Number(b) - Number(a) || b.localeCompare(a))
  const [chosen, setChosen] = useState<string>()
  const version = chosen && versions.includes(chosen) ? chosen : versions[0]
  if (!schemas || version === undefined)
    return (
      <Section title="Schema">
        <Empty title="No schema.">
          <p>A JSON Schema says what a payload looks like. Examples are made from it.</p>
        </Empty>
      </Section>
    )
  return (
    <div className="halves">
      <Section
        title="Schema"
        actions={
          versions.length > 1 && (
            <div className="segments" role="group" aria-label="Version of the schema">
              {versions.map(one => (
                <button key={one} type="button" aria-pressed={one === version} onClick={() => setChosen(one)}>
                  {one}
                </button>
              ))}
            </div>
          )
        }
      >
        <Body text={JSON.stringify(schemas[version])} label={`Schema ${version}`} />
      </Section>
      <Section title="Example">
        <Body text={examplePayload({ [version]: schemas[version] })} label="Example" />
      </Section>
    </div>
  )
}
