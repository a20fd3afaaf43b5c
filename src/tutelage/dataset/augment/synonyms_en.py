"""English synonyms that are safe in contracts: a short lexicon of ours, and words that are never touched."""

from __future__ import annotations

# One group a line. "a | b": each for the other; "a > b": only b for a. No modal verb, no negation, no defined term, no number.
LEXICON = """
prior to > before
subsequent to > following
in the event of | in case of
in the event that > if
provided that > on condition that
notwithstanding > despite
commence > begin
commences > begins
commencing > beginning
obligated to | obliged to
with respect to | with regard to | in relation to | regarding
with respect thereto > with regard thereto
for the purpose of > for purposes of
at its own expense | at its own cost
at their own expense | at their own cost
at its sole expense | at its sole cost
at the expense of | at the cost of
forthwith > immediately
utilize > use
utilizes > uses
utilized > used
utilization of > use of
furnish > supply
furnishes > supplies
furnished > supplied
furnishing > supplying
comply with | adhere to | abide by
complies with | adheres to | abides by
complying with | adhering to | abiding by
compliance with > adherence to
null and void > void
in writing > in written form
written notice > notice in writing
set forth in | set out in | stated in
set forth below > set out below
set forth above > set out above
in lieu of > in place of
upon request > on request
upon receipt of > on receipt of
upon termination of > on termination of
upon expiration of > on expiration of
upon the termination of > on the termination of
upon the expiration of > on the expiration of
expiration of | expiry of
in whole or in part | wholly or partly
attempt to > try to
transmit > send
transmits > sends
transmitted to > sent to
notify > inform
notifies > informs
notified of > informed of
notifying > informing
retain > keep
retains > keeps
retaining > keeping
alter > change
alters > changes
alteration of > change of
erroneous > incorrect
necessary to > needed to
reasonably necessary > reasonably needed
sufficient to > adequate to
in a timely manner > in good time
in excess of > more than
arising out of | arising from | resulting from
relating to | pertaining to | related to
by virtue of > because of
for the duration of > throughout
until such time as > until
to the extent that > insofar as
in the course of > during
assist in > help in
assist with > help with
assistance in > help in
demonstrate > show
demonstrates > shows
demonstrating > showing
amongst > among
whilst > while
annually > yearly
annual report > yearly report
by means of > by way of
in accordance with > in conformity with
pursuant to > under
as well as > along with
including, without limitation, > including without limitation
engage in > take part in
make available to > provide to
each and every > every
accurate and complete > complete and accurate
true and correct > correct and true
terms and conditions > conditions and terms
successors and assigns > assigns and successors
costs and expenses > expenses and costs
"""

# Terms of art, and words that a dictionary knows in another use than contracts (after, as an adverb only): neither replaced nor used in
# their place.
TERMS_OF_ART = """
not non no nor none never neither without unless except but said minutes damages damage indemnification indemnity negligence liability
percent percentage shall must may can will should could would forbidden prohibited permitted allowed required obliged entitled license
licence sublicense assign assignment transfer sell sale lease patent copyright trademark warranty guarantee security pledge mortgage
charge lien interest principal agent consultant advisor adviser supplier provider vendor seller buyer purchaser purchase shareholder
stockholder authorities government court merger merged amalgamation executing execution executable needed terminated concluded ended
dismissed discharged enforced implemented exclusively solely exclusive sole salary remuneration receipts revenue fiscal financial
advertisement advertising marketing selling interpreted taken accepted recognized located placed exceeding exceptional whatever however
attached connected affiliated realized completed hereby herewith hereunder hereinafter assess evaluate immediately after before since
until subsequently afterward notwithstanding nevertheless lieu stead men workforce proceeding proceedings discovered observed issuing
issuance accrued accumulated tagged labeled appurtenant ancillary discontinuance
"""
KEPT = frozenset(TERMS_OF_ART.split())
