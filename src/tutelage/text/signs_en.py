"""Signs of the clause types in English: patterns of the heading, of the theme, and of the phrase that opens such a clause."""

SIGNS: dict[str, tuple[str, str, str]] = {
    "acceptance": (
        r"\bacceptance\b(?! test)|^accept(ing)?\b|^(your )?agreement to (these|the) terms|^how to accept",
        r"\b(accept|agree)",
        r"^(by|if you) (\w+,? ){0,3}(download|install|us|copy|access|click|open|exercis)\w*\b.{0,160}\b(you|licensee)"
        r" .{0,40}(agree|accept)"
        r"|you are not required to accept this licen[sc]e"
        r"|^(please )?read (this|the|these) .{0,60}(agreement|licen[sc]e|terms).{0,40}(carefully|before)"
        r"|if you do not agree (to|with) .{0,60}, (do not|you (must|may|should) not)",
    ),
    "amendment": (
        r"\bamend|^modifications? (of|to) (this|the|these) (licen[sc]e|agreement|terms)|^changes? to (this|the|these)"
        r"|(new|revised|future) versions|versions of (this|the) licen[sc]e|^licen[sc]e (versions|revisions)",
        r"amend|modif|chang|revis|version|supplement",
        r"(agreement|licen[sc]e|terms?) (may|can|shall) (only |not )?be (amended|modified|changed|supplemented)"
        r"|may (publish|issue) (\w+ ){0,3}(revised|new|other|modified)"
        r"|no (amendment|modification|change)s? (of|to|or|in)\b.{0,80}(unless|except|binding|effective|valid)"
        r"|(reserves? the right|may) .{0,30}(amend|modify|change|revise) (this|these|the) (agreement|licen[sc]e|terms)",
    ),
    "assignment": (
        r"\bassignment\b|\bassign(s|ability|able|ing)?\b|\bsuccessors\b|^transfer(s|ability)?\b"
        r"|\btransfer of (rights|licen[sc]e|software|the|this|agreement)|transferability",
        r"assign|transfer|successor",
        r"(may|shall|will|must) not (\w+ ){0,3}(assign|transfer) (\w+ ){0,4}(this|the|these|your|its|any)"
        r" (agreement|licen[sc]e|rights)"
        r"|neither party (may|shall|will|can) .{0,20}assign"
        r"|this (agreement|licen[sc]e)( or any .{0,40})? (may|can|shall) ?not be (\w+ ){0,4}(assigned|transferred)"
        r"|may (\w+ ){0,3}(assign|transfer) (this|the) (agreement|licen[sc]e)|binding (up)?on .{0,60}successors"
        r"|(entity|control) transaction",
    ),
    "attribution": (
        r"attribution|^credits?\b|acknowledge?ment|\b(copyright|legal|required|proprietary) notices?\b"
        r"|^notices? (of copyright|and attribution|required)|preservation of notices|^notice$",
        r"notice|credit|attribut|acknowledg|copyright",
        r"the (above|following|original) copyright notices?.{0,120}(shall|must|should|may|are|is|be|appear)"
        r"|(retain|reproduce|keep|preserve|include|contain|carry|display|leave)s? (\w+"
        r" ){0,6}(copyright|attribution|proprietary|legal|patent) (\w+,? ){0,5}(notice|legend)"
        r"|must (give|display|include|contain) (\w+ ){0,4}(credit|attribution|acknowledge?ment)|the following acknowledge?ment"
        r"|^(all )?advertising materials|give (appropriate |proper )?(credit|attribution) to|end-user documentation included with"
        r"|(copyright|this permission) notices?.{0,60} (must|shall|should) (be|appear|not be)"
        r"|(must|shall|may) not (remove|alter|obscure|delete)\w* .{0,40}(copyright|notice|legend)",
    ),
    "audit": (
        r"\baudits?\b|\binspection\b|books and records|^records\b|record.?keeping|\bverification\b",
        r"audit|inspect|record|verif|certif",
        r"\b(right to|may|shall have the right .{0,30}) (audit|inspect) (your|licensee|the|its|customer)"
        r"|(keep|maintain)\w* (\w+,? ){0,5}(books|records) (and|of|relat|concern|necess|suffic|for|regard|documenting)",
    ),
    "breach": (
        r"\bbreach|\bdefaults?\b|^remed(y|ies)\b|\bcures?\b|equitable (relief|remed)|injunctive|liquidated damages|\bviolations?\b",
        r"breach|default|remed|violat|damage|injunct|irreparable|cure",
        r"(breach|violation)\w* .{0,80}(irreparable|injuncti|equitable relief)|liquidated damages"
        r"|in the event of (a|any) (material )?(breach|default)|event of default",
    ),
    "confidentiality": (
        r"confidential|non-?disclosure|\b(permitted|required|compelled) disclosures?\b|\bsecrecy\b|trade secrets?|proprietary information",
        r"confiden|disclos|secret|proprietary",
        r"\b(keep|maintain|hold|treat)\w* .{0,60}(in confidence|confidential|secret)"
        r"|(shall|will|may|must|agrees?) not (to )?disclose\b|(receiving|disclosing) party"
        r"|\"?confidential information\"? (means|includes|shall mean)|(contains?|constitutes?|embod\w+|are|is) .{0,60}trade secrets",
    ),
    "contributions": (
        r"\bcontributions?\b|\bcontributors?'? ?(grant|represent|agree|licen|oblig|version)?|\bsubmissions?\b|\bfeedback\b"
        r"|derivative works by you",
        r"contribut|submit|submission|feedback|suggest",
        r"contributions? (intentionally |you |are |is |to |that )"
        r"|(suggestion|feedback|submission)s?\b.{0,80}(you|licen[sc]e|grant|may|shall|assign)|contributor (represents|believes|grants)"
        r"|each contributor",
    ),
    "copyright": (
        r"\bcopyrights?\b(?! (notice|licen[sc]e|and (permission|licen)))",
        r"copyright",
        r"(is|are) (protected by|subject to) (\w+,? ){0,6}copyright"
        r"|(all )?copyrights? (in|to|of) (the|this|and).{0,80}(belong|remain|owned|retain|vest|held|are|is)"
        r"|(owns?|retains?|holds?|reserves?) (\w+,? ){0,5}copyrights?\b",
    ),
    "data_protection": (
        r"privacy|personal (data|information)|data (protection|collection|processing|security|usage|use)"
        r"|collection (and use )?of (information|data)|consent to (the )?use of data|\bcookies\b|internet-based services"
        r"|information (we )?collect|security incident|sub-?processors?",
        r"data|privacy|information|personal",
        r"(collect|process|gather|transmit)\w* .{0,60}(personal(ly)?|technical data|information about (you|your)|diagnostic|usage"
        r" data)"
        r"|personal (data|information).{0,60}(process|collect|protect|us|transfer)"
        r"|(accord|subject to|governed|describ|set forth)\w* .{0,50}privacy (policy|statement|notice)",
    ),
    "definitions": (
        r"definition|\bdefined terms\b|\binterpretation\b(?! of law)|^construction$|^meaning of|^terminology",
        r"mean|refer|defin|include|interpret|heading|singular|construed|shall be|words|terms",
        r"^[\"“'‘]?[\w\"“”'‘’ /(),.-]{2,70}[\"”'’]\)? (shall )?(means?|refers? to|(shall )?includes?\b|is defined|has the"
        r" meaning|denotes?|is any|is the)"
        r"|^[\"“‘][^\"”]{2,60}[\"”’][^.]{0,40}\b(means?|refers? to)\b"
        r"|following (terms|words|definitions)( \w+){0,6} (means?|meanings?|apply|shall)|^as used (in|herein|throughout)"
        r"|for (the )?purposes? of this (agreement|licen[sc]e|document)",
    ),
    "delivery": (
        r"\bdeliver(y|ies)\b|\bshipment|\bshipping\b|title and risk|risk of loss",
        r"deliver|ship|risk|title",
        r"(shall|will) (deliver|ship) (to|the|all)|(delivery|shipment) (of the|shall|will)|risk of loss",
    ),
    "disclaimer_of_warranty": (
        r"disclaim|\bno (other |implied |express )?(warrant|guarantee|support or warrant)|\bwarranty (exclusion|disclaimer)"
        r"|exclusion of (implied )?warrant|^as[ -]is\b|lack of warrant|without warrant|warrant(y|ies) excluded"
        r"|no liability for warrant",
        r"warrant|guarant|as is|as-is|represent|fitness|disclaim|suitab",
        r"\bas[ -]is\b|without (any )?(\w+,? ){0,5}warrant(y|ies)"
        r"|disclaims? (any and )?(all )?(\w+,? ){0,6}(warrant|guarant|conditions)"
        r"|no (express |implied |other )?(warrant|guarantee|representation)"
        r"|(makes?|gives?|provides?|offers?|there (is|are)) no (\w+,? ){0,6}(warrant|representation|guarantee|claim)"
        r"|(does|do|shall|will|can|can) ?not (warrant|guarantee|represent)\b(?! to the contrary)|with all (its )?faults|entire risk as to"
        r"|use (it )?at your own risk"
        r"|not responsible for|(warrant(y|ies)|conditions?).{0,60}(are|is) (hereby )?(excluded|disclaimed)",
    ),
    "dispute_resolution": (
        r"\bdisputes?\b|\barbitration\b|\bjurisdiction\b(?!s)|\bvenue\b|\bmediation\b|\blitigation\b|jury|\bforum\b"
        r"|choice of (forum|court)|class action",
        r"disput|arbitrat|court|jurisdiction|venue|mediat|jury|litigat|action",
        r"(any|all) (\w+ ){0,4}(dispute|controversy|litigation|claim)s?\b.{0,120}(arbitrat|court|mediat|settle|resolv|brought)"
        r"|(exclusive|personal|sole) (\w+ ){0,3}(jurisdiction|venue)|submit\w* to .{0,40}(jurisdiction|arbitration)"
        r"|binding arbitration|courts? (of|in|located) .{0,60}(jurisdiction|venue|competent)",
    ),
    "entire_agreement": (
        r"entire (agreement|understanding|contract)|\bintegration\b|complete agreement|\bmerger\b|whole agreement",
        r"entire|complete|supersede|whole|prior|agreement",
        r"(constitutes?|is|are|contains?|comprises?|sets? forth|represents?) (\w+,? ){0,6}(entire|complete|whole|full) (\w+"
        r" ){0,4}(agreement|understanding|statement|licen[sc]e|contract)"
        r"|supersedes? (and replaces? )?(all|any) (\w+,? ){0,3}"
        r"(prior|previous|earlier|former|other|contemporaneous|proposal|communication|understanding|represent|negotiat|oral|written)",
    ),
    "export_control": (
        r"\bexports?\b|\bembargo|sanctions|trade (control|compliance)|import/export",
        r"export|embargo|sanction|countr",
        r"\bexport(ed|ation)?,? (or |and )?(re-?export|control|law|regulation|restriction|administration|licen[sc]e|jurisdiction)"
        r"|(may|shall|will|must) not (\w+,? ){0,5}export|united states export|export(ed)? or re-?export",
    ),
    "fees_payment": (
        r"\bfees?\b(?!dback)|\bpayments?\b|\bpric(e|es|ing)\b|royalt(y|ies)\b|\btaxes\b|\binvoic|\bcompensation\b|\bcharges\b"
        r"|\bbilling\b|\bexpenses\b|\brefunds?\b|\bconsideration\b|\bcosts\b",
        r"fee|pay|price|royalt|tax|invoice|charg|cost|refund|compensat|expens",
        r"(shall|will|must|agrees? to|may) (\w+ ){0,2}(pay|invoice|reimburse)\b"
        r"|(fees?|payments?|invoices?|royalt\w+) (\w+ ){0,5}(due|payable|non-?refundable)|(responsible|liable) for (\w+,? ){0,5}tax"
        r"|(you|licensee) (may|can) charge (a|any|for)|all (fees|prices|charges)",
    ),
    "force_majeure": (
        r"force majeure|acts? of god|excusable delay|unforeseen",
        r"control|force majeure|act of god|delay|perform",
        r"force majeure|acts? of god|(causes?|circumstances|events?) (\w+ ){0,3}beyond (\w+ ){0,3}reasonable control",
    ),
    "government_use": (
        r"government|federal acquisition|restricted rights|\bdfars?\b|\bfar\b|u\.?s\.? (federal )?(public|agency)"
        r"|commercial (computer software|items?)",
        r"government|federal|dfar|restricted rights|48 c\.?f\.?r|commercial",
        r"(u\.? ?s\.? |united states |federal )government .{0,200}(right|restrict|commercial|licen|use|end|agenc)|restricted rights"
        r"|\bdfars?\b|48 c\.?f\.?r|commercial computer software|commercial items?\"",
    ),
    "governing_law": (
        r"governing (law|language)|applicable law|choice of law|^law$|\blaws? (and|of|applicable)|\bconflict of laws?|^legal effect",
        r"\blaws?\b|govern",
        r"(governed|construed|interpreted|controlled)( \w+,?){0,8} (by|in accordance with|under|according to|pursuant to)( \w+){0,6}"
        r" (laws?|legislation|statutes?)\b"
        r"|the laws? of .{0,80}(govern|appl)|is subject to the laws? of|united nations convention on contracts",
    ),
    "indemnification": (
        r"indemni|hold harmless|\bdefen[sc]e of claims|third[- ]party claims",
        r"indemn|harmless|defend|claim",
        r"\b(shall|will|agrees? to|must|hereby) (\w+,? ){0,5}(indemnify|defend|hold (\w+ ){0,4}harmless)"
        r"|indemnif(y|ies) (and|,) (defend|hold)|indemnify",
    ),
    "independent_contractors": (
        r"independent contractors?|relationship (of|between) (the )?parties|^no (agency|partnership|joint venture)|^relationship",
        r"contractor|partner|agen|joint venture|employ|relationship",
        r"independent contractors?|(partnership|joint venture|agency|employment)( \w+,?){0,6} relationship"
        r"|(create|constitut|deem|form)\w* .{0,60}(partnership|joint venture|agency)",
    ),
    "insurance": (
        r"\binsurance\b|insured",
        r"insur",
        r"(maintain|carry|obtain|procure)\w* .{0,60}insurance|insurance (policy|policies|coverage)|certificates? of insurance",
    ),
    "intellectual_property": (
        r"intellectual property|\bownership\b|\btitle\b|proprietary rights|reservation of rights|reserved rights"
        r"|^(all )?rights reserved|retention of (rights|title)|work(s)? (made )?for hire|property rights|^rights (in|of)",
        r"own|title|right|propert|retain|reserv|licensed, not sold|invent",
        r"(retains?|reserves?|owns?|holds?) (\w+,? ){0,6}(title|ownership|all (\w+ )?rights|intellectual property|all right)"
        r"|(title|ownership|intellectual property)( \w+,?){0,12} (remain|belong|vest|retain|owned)\w*|licensed,? (and )?not sold"
        r"|(is|are|remains?) the (sole |exclusive )?property of|all (other )?rights .{0,40}(are )?reserved|no (title|ownership)",
    ),
    "license_grant": (
        r"\bgrants?\b|^licen[sc]e$|licen[sc]e (grant|rights|and use|to use|terms?|scope)"
        r"|^(scope of )?(the )?licen[sc]e(s)?( granted)?$|\bpermissions?\b|^(permitted|permissible|authori[sz]ed|allowed) use"
        r"|scope of (licen[sc]e|rights|use)|rights granted|^use (of|rights)\b|installation and use|^you may\b"
        r"|licen[sc]ed? (use|rights)|^usage( rights)?$|copyright licen[sc]e|^evaluation licen",
        r"grant|permi|licen[sc]e|may|right to use|allow",
        r"permission( is|,)? (hereby )?(granted|given|to (use|copy|distribute|modify))"
        r"|(?<!not )(?<!rights )(?<!permissions )\b(hereby )?(grants?|gives?|granting) (to )?(\w+,?"
        r" ){0,6}?(a|an|the|permission|right|permissions|rights)\b.{0,160}\b(licen[sc]e|right|permission|use|copy|modify|distribut)"
        r"|^(you|anyone|everyone|licensee|users?|customer) (may|can|are (free|allowed|permitted)|is (free|allowed|permitted)) (to"
        r" )?(freely )?(use|copy|install|modify|do|make|access)\b"
        r"|\b(is|are) (hereby )?(granted|licensed) (a|the|to (you|licensee)|under|permission)\b(?! no)"
        r"|may be (freely )?(used|copied|distributed|redistributed|modified)|free software(?! foundation)|free for (any|all|use)",
    ),
    "limitation_of_liability": (
        r"limit(ation|s|ed|ing)? (of|on|to) (\w+ )?(liabilit|damage|remed)|\bliabilit(y|ies)\b|exclusion of .{0,30}damages"
        r"|consequential damages|\bdamages\b|limited remed|no liability",
        r"liab|damage|responsib|exceed",
        r"(in no event|under no circumstances?|in no case|neither|nor|shall not|will not|cannot|not)"
        r" .{0,160}\b(liable|liability|responsible)\b"
        r"|(aggregate|total|maximum|cumulative|entire) (\w+ ){0,3}liability|(consequential|incidental|indirect),? .{0,40}damages"
        r"|limitation of liability|no liability|liability (is|shall be) (limited|excluded)",
    ),
    "non_compete": (
        r"non-?compet|\bexclusivity\b|competi(ng|tion|tive)|restrictive covenant",
        r"compet|exclusiv",
        r"(shall|will|may|agrees?) not .{0,80}\bcompet(e|ing|itive)?\b|non-?competition"
        r"|compet(e|es) with the (business|products?|services?) of",
    ),
    "non_solicitation": (
        r"non-?solicit|\bsolicitation\b|no[- ]hire",
        r"solicit|hire|employ",
        r"(shall|will|may|agrees?) not .{0,80}(solicit|hire|recruit|entice)",
    ),
    "notices": (
        r"^(legal |written |formal )?notices?$|^notices? (and|to|under|;|provision)|\bcommunications?\b|addresses for notice"
        r"|^contact( information)?$",
        r"address|mail|deliver|writing|written|sent|given|contact|receiv",
        r"notices?\b.{0,120}(shall|must|will|may) be (\w+ ){0,3}(in writing|given|sent|delivered|made|deemed|written)"
        r"|(questions|inquir\w+|requests?)\b.{0,60}(contact|write to|directed|addressed|mail)",
    ),
    "patents": (
        r"\bpatents?\b",
        r"patent",
        r"patent (licen[sc]e|litigation|claims?|rights|infring|grant)|(grants?|licen[sc]e)\w* .{0,100}\bpatent"
        r"|\bpatents?\b .{0,60}(infring|claim)",
    ),
    "redistribution": (
        r"distribut|\bcopying\b|conveying|\bcopies\b|sublicens|derivative works?|modified versions"
        r"|\bmodifications?\b(?! (of|to) (this|the) (agreement|licen[sc]e))|reproduction|^publication|larger works?|aggregat"
        r"|\bcombin(ed|ing|ation)\b",
        r"distribut|cop(y|ies)|convey|redistribut|deriv|modif|sublicen|reproduc|publish|combin|aggregat",
        r"redistributions? (of|in|must)"
        r"|^(you|licensee|anyone|users?) (may|must|can|shall|are|agree)( \w+,?){0,8} (re)?(distribut|convey|sublicens|copy and"
        r" distribut|modify)\w*"
        r"|^if you (\w+ ){0,3}(distribute|convey|redistribute|publish|modify|make)"
        r"|(re)?distribut(e|ion|ed|ing)\b.{0,120}(provided|condition|must|only|permitted|allowed)"
        r"|may (\w+ ){0,3}(distribute|redistribute|copy and distribute|sublicense)|when you (\w+ ){0,2}(convey|distribute)"
        r"|modified (versions?|files|copies|works?)( \w+,?){0,8} (must|may|shall)",
    ),
    "restrictions": (
        r"restrict|prohibit|limitations? (on|of) (use|licen|reverse)|limited (use|rights)|reverse engineer|not permitted|unacceptable"
        r"|^you (may|shall|must|agree) not|^(acceptable|fair) use|high.?risk|^additional limitations|^limits|^conditions$"
        r"|^use limitations|obligations of (the )?(licensee|user)|competitive analysis|benchmark",
        r"not|only|prohibit|restrict|without",
        r"^(you|licensee|customer|the licensee|end user|user|recipient|except)\b.{0,80}(may|shall|must|will|agrees?|should|can) ?not"
        r" (\w+,? ){0,4}(use|copy|modify|reverse|decompil|disassembl|rent|lease|sell|sublicens|distribut|transfer|remove|attempt|permit"
        r"|disclose|make|create|work)"
        r"|(may|shall|must|will|agree) not .{0,40}(reverse[ -]engineer|decompile|disassemble|rent|lease)|reverse[ -]engineer(ing)?"
        r"|not (designed|intended|authori[sz]ed|licensed) (\w+ ){0,3}(for|to be)"
        r"\b.{0,80}(nuclear|life|hazard|aircraft|safety|medical|critical)"
        r"|(use|used) .{0,40}(is|are) (strictly )?(prohibited|forbidden)|non-?commercial (use|purposes) only",
    ),
    "severability": (
        r"severab|\binvalidity\b|partial invalidity|unenforceab|\bseverance\b",
        r"invalid|unenforce|illegal|sever|void|contrary to",
        r"(provision|part|portion|term|clause|section|paragraph)s?\b.{0,160}(invalid|unenforceable|illegal|void|contrary to (\w+ )?law)"
        r"|severab(le|ility)",
    ),
    "source_code": (
        r"source code|corresponding source|\bsource (form|distribution|availability)|object code",
        r"source",
        r"(source code|corresponding source|source form)( \w+,?){0,10} (must|(be|is|are|made) available|accompan|shall)"
        r"|(provide|make|obtain|offer|accompan)\w* .{0,60}source code|escrow",
    ),
    "support_maintenance": (
        r"\bsupport\b(?! or warrant)|maintenance|\bupdates?\b|\bupgrades?\b|technical assistance|service level|\benhancements?\b"
        r"|supplements",
        r"support|mainten|maintain|updat|upgrad|assist|correct|enhanc|supplement",
        r"(provide|entitle|obligat|offer|receive|furnish)\w* .{0,80}(support|maintenance|updates?|upgrades?|technical assistance)"
        r"|(support|maintenance) services|^(any |all )?(updates?|upgrades?|supplements?)\b.{0,60}(licen|provid|govern|subject|replace)",
    ),
    "survival": (
        r"surviv",
        r"surviv",
        r"\b(shall|will) survive\b|survive (any |the )?(termination|expiration)",
    ),
    "term": (
        r"^(the )?(initial )?terms?( of (the )?(licen[sc]e|agreement|contract))?$|\bduration\b|\brenewal|effective date"
        r"|^term( and|,|;)|license period|^(evaluation|subscription|trial|test) (period|term)|commencement|^effectiveness",
        r"term\b|effective|period|until|expire|renew|duration|perpetual|year|month|days",
        r"(agreement|licen[sc]e)( \w+,?){0,4} (is|are|shall be|will be|becomes?|remains?|shall become|shall remain|shall"
        r" commence|commences?|will remain|takes effect) (\w+ ){0,2}(effective|in (full )?force|in effect|on the|perpetual)"
        r"|initial term|automatically renew",
    ),
    "termination": (
        r"terminat|cancel?lation|\bexpir(y|ation)\b|\brevocation\b|\brescission\b",
        r"terminat|cancel|expir|cease|revo",
        r"(licen[sc]e|agreement|rights?|permissions?)( \w+,?){0,10} (terminat|cease|expir|revoked)\w*"
        r"|(may|shall|will) (\w+ ){0,3}(terminate|cancel)\b|upon (\w+ ){0,3}(termination|expiration)"
        r"|terminates? (automatically|immediately)|effective until (it is )?(terminated|you)",
    ),
    "third_party_software": (
        r"third[- ]part(y|ies)"
        r" (software|materials?|components?|code|content|products?|services?|technolog|licen|program|item|notice|application|web"
        r"|sites?|link)"
        r"|open[- ]source|^third[- ]part(y|ies)$|bundled|^(links|linked)|incorporated"
        r"|additional software|other software|\bexcluded licen",
        r"third|open source|separate|bundle|other|link|compon",
        r"third[- ]part(y|ies) (software|materials?|components?|code|content|products?|technolog|licens)"
        r"|(contains?|includes?|incorporates?|bundled) .{0,60}(third[- ]party|open source|software (developed|written|from))",
    ),
    "trademarks": (
        r"trade ?-?marks?|\blogos?\b|trade names?|service marks?|publicity|use of (the )?names?|\bnames?\b|branding|endors|\bmarks\b"
        r"|press release",
        r"mark|name|logo|endors|publicity|brand|advertis",
        r"(neither|nor)? ?(the )?names? (of|and|\")?.{0,160}(endorse|promote|advertis|publicity|appear|may not be|must not)"
        r"|trade ?marks?\b.{0,120}(licen|right|grant|use|permission|own|property|logo)"
        r"|(not|to) (\w+ ){0,4}use (\w+ ){0,6}(trade ?marks?|trade names?|logos?|name)|may (not be called|appear in their name)"
        r"|endorse or promote",
    ),
    "waiver": (
        r"\bwaivers?\b|no waiver|non-?waiver|\bforbearance\b",
        r"waive|failure|relinquish",
        r"(failure|delay|forbearance)\b.{0,120}(waiv|relinquish)|no waiver"
        r"|(shall|will) not (\w+ ){0,4}(constitute|be (construed|deemed|considered)) (\w+ ){0,3}waiver",
    ),
    "warranty": (
        r"^(?!.*(disclaim|exclu|\bno\b|without)).*(\bwarrant(y|ies)\b|\bguarant(y|ee)s?\b|representations?\b|\bcovenants\b)",
        r"warrant|guarant|represent|defect|conform",
        r"(?<!not )(hereby )?(represents? and )?warrants? (that|to|for|the)|limited warranty"
        r"|for a period of .{0,60}(warrant|free from|defect)|free from (\w+ ){0,3}defects|represents? (and|that) ",
    ),
}
