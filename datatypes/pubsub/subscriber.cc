#include "datatypes/pubsub/subscriber.h"

namespace synap {

void SubscriberRelease::operator()(Subscriber* subscriber) const {
  subscriber->release();
}

}  // namespace synap
