import { useQuery } from '@tanstack/react-query'
import { api, take } from '@/api/client'
import { Failure, Skeleton } from '@/ui/State'
import { QuotasSection, UsageSection } from '@/ui/Usage'

export default function Usage() {
  const usage = useQuery({
    queryKey: ['tenant', 'usage'],
    queryFn: () => take(api.GET('/api/v1/tenant/usage')),
    refetchInterval: 10_000,
  })
  if (usage.error) return <Failure error={usage.error} retry={() => void usage.refetch()} />
  if (!usage.data) return <Skeleton lines={6} />
  const { data, plan, quotas } = usage.data
  return (
    <>
      <UsageSection days={data} />
      <QuotasSection plan={plan} quotas={quotas} messagesToday={data[0]?.messages} />
      <p className="quiet">Whoever runs this server sets plan and quotas. What goes beyond is answered 429, and says when to try again.</p>
    </>
  )
}
