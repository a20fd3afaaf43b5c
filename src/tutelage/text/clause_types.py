"""The types of clauses that Tutelage knows, and how one is recognised: by its heading, then by what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tutelage.core.language import text as message
from tutelage.core.records import Language

OPENING = {"en": 420, "zh": 160}  # characters in which a clause without a telling heading must say what it is


@dataclass(frozen=True)
class Signs:
    """Patterns of one language: `heading` is searched in the heading, `theme` must occur in the text under such a
    heading, `body` is a phrase that only this type opens with.
    """

    heading: str
    theme: str
    body: str


@dataclass(frozen=True)
class ClauseType:
    """A type of clause. Its names stand in the message catalogue, where prompts find them too."""

    key: str
    signs: dict[Language, Signs]

    @property
    def en(self) -> str:
        """Its English name."""
        return self.name("en")

    @property
    def zh(self) -> str:
        """Its Chinese name."""
        return self.name("zh")

    def name(self, language: Language) -> str:
        """Its name in a language."""
        return message(f"text.clause_type.{self.key}", language)


def _type(key: str, en: tuple[str, str, str], zh: tuple[str, str, str]) -> ClauseType:
    return ClauseType(key, {"en": Signs(*en), "zh": Signs(*zh)})


_TYPES = (
    _type("acceptance",
          (r"\bacceptance\b(?! test)|^accept(ing)?\b|^(your )?agreement to (these|the) terms|^how to accept",
           r"\b(accept|agree)",
           r"^(by|if you) (\w+,? ){0,3}(download|install|us|copy|access|click|open|exercis)\w*\b.{0,160}\b(you|licensee) .{0,40}(agree|accept)"
           r"|you are not required to accept this licen[sc]e|^(please )?read (this|the|these) .{0,60}(agreement|licen[sc]e|terms)"
           r".{0,40}(carefully|before)|if you do not agree (to|with) .{0,60}, (do not|you (must|may|should) not)"),
          (r"接受|生效|成立", r"接受|生效|同意|签字|盖章", r"自.{0,24}(签字|盖章|签署|签订).{0,12}(起|后)?生效|(经|由).{0,16}(签字|盖章).{0,10}(后|之日起?)生效|即(视为|表示).{0,12}(同意|接受)")),
    _type("amendment",
          (r"\bamend|^modifications? (of|to) (this|the|these) (licen[sc]e|agreement|terms)|^changes? to (this|the|these)|(new|revised|future) versions"
           r"|versions of (this|the) licen[sc]e|^licen[sc]e (versions|revisions)",
           r"amend|modif|chang|revis|version|supplement",
           r"(agreement|licen[sc]e|terms?) (may|can|shall) (only |not )?be (amended|modified|changed|supplemented)|may (publish|issue) (\w+ ){0,3}(revised|new|other|modified)"
           r"|no (amendment|modification|change)s? (of|to|or|in)\b.{0,80}(unless|except|binding|effective|valid)|(reserves? the right|may) .{0,30}(amend|modify|change|revise) (this|these|the) (agreement|licen[sc]e|terms)"),
          (r"变更|修改|修订|补充", r"变更|修改|修订|补充|书面", r"(变更|修改|修订|补充)(本|该)?(合同|协议|条款).{0,30}(书面|协商|同意)|(本)?(合同|协议)(的|之)?(任何)?(变更|修改|修订|补充).{0,30}(书面|协商)")),
    _type("assignment",
          (r"\bassignment\b|\bassign(s|ability|able|ing)?\b|\bsuccessors\b|^transfer(s|ability)?\b|\btransfer of (rights|licen[sc]e|software|the|this|agreement)|transferability",
           r"assign|transfer|successor",
           r"(may|shall|will|must) not (\w+ ){0,3}(assign|transfer) (\w+ ){0,4}(this|the|these|your|its|any) (agreement|licen[sc]e|rights)|neither party (may|shall|will|can) .{0,20}assign"
           r"|this (agreement|licen[sc]e)( or any .{0,40})? (may|can|shall) ?not be (\w+ ){0,4}(assigned|transferred)|may (\w+ ){0,3}(assign|transfer) (this|the) (agreement|licen[sc]e)"
           r"|binding (up)?on .{0,60}successors|(entity|control) transaction"),
          (r"转让|让与|承继", r"转让|让与|转移", r"(不得|未经).{0,40}(转让|让与).{0,30}(权利|义务|合同|协议)|(转让|让与)(其)?(在)?本?(合同|协议)")),
    _type("attribution",
          (r"attribution|^credits?\b|acknowledge?ment|\b(copyright|legal|required|proprietary) notices?\b|^notices? (of copyright|and attribution|required)|preservation of notices|^notice$",
           r"notice|credit|attribut|acknowledg|copyright",
           r"the (above|following|original) copyright notices?.{0,120}(shall|must|should|may|are|is|be|appear)|(retain|reproduce|keep|preserve|include|contain|carry|display|leave)s? (\w+ ){0,6}(copyright|attribution|proprietary|legal|patent) (\w+,? ){0,5}(notice|legend)"
           r"|must (give|display|include|contain) (\w+ ){0,4}(credit|attribution|acknowledge?ment)|the following acknowledge?ment|^(all )?advertising materials|give (appropriate |proper )?(credit|attribution) to"
           r"|end-user documentation included with|(copyright|this permission) notices?.{0,60} (must|shall|should) (be|appear|not be)|(must|shall|may) not (remove|alter|obscure|delete)\w* .{0,40}(copyright|notice|legend)"),
          (r"署名|致谢|版权声明", r"署名|注明|声明|致谢", r"(注明|标注|保留).{0,20}(作者|来源|署名|出处|版权声明)")),
    _type("audit",
          (r"\baudits?\b|\binspection\b|books and records|^records\b|record.?keeping|\bverification\b",
           r"audit|inspect|record|verif|certif",
           r"\b(right to|may|shall have the right .{0,30}) (audit|inspect) (your|licensee|the|its|customer)|(keep|maintain) (\w+,? ){0,5}(books|records)"),
          (r"审计|检查|核查|账簿", r"审计|检查|核查|账簿|账册|查阅", r"有权.{0,24}(审计|检查|核查|查阅).{0,20}(账|资料|记录|财务|情况)")),
    _type("breach",
          (r"\bbreach|\bdefaults?\b|^remed(y|ies)\b|\bcures?\b|equitable (relief|remed)|injunctive|liquidated damages|\bviolations?\b",
           r"breach|default|remed|violat|damage|injunct|irreparable|cure",
           r"(breach|violation)\w* .{0,80}(irreparable|injuncti|equitable relief)|liquidated damages|in the event of (a|any) (material )?(breach|default)|event of default"),
          (r"违约|罚则|赔偿责任|违约金|滞纳金", r"违约|赔偿|逾期|损失", r"违约金|违约责任|逾期.{0,30}(支付|承担|赔偿)|构成违约|违约方")),
    _type("confidentiality",
          (r"confidential|non-?disclosure|\bsecrecy\b|trade secrets?|proprietary information",
           r"confiden|disclos|secret|proprietary",
           r"\b(keep|maintain|hold|treat)\w* .{0,60}(in confidence|confidential|secret)|(shall|will|may|must|agrees?) not (to )?disclose\b|(receiving|disclosing) party|\"?confidential information\"? (means|includes|shall mean)"
           r"|(contains?|constitutes?|embod\w+|are|is) .{0,60}trade secrets"),
          (r"保密|商业秘密|机密", r"保密|秘密|机密|泄露|披露", r"保密(义务|责任|信息|期限)|商业秘密|不得.{0,20}(泄露|披露|透露)|(泄露|披露).{0,20}(秘密|机密)")),
    _type("contributions",
          (r"\bcontributions?\b|\bcontributors?'? ?(grant|represent|agree|licen|oblig|version)?|\bsubmissions?\b|\bfeedback\b|derivative works by you",
           r"contribut|submit|submission|feedback|suggest",
           r"contributions? (intentionally |you |are |is |to |that )|(suggestion|feedback|submission)s?\b.{0,80}(you|licen[sc]e|grant|may|shall|assign)|contributor (represents|believes|grants)|each contributor"),
          (r"贡献|反馈|投稿", r"贡献|反馈|提交|建议", r"(提交|作出|做出).{0,12}贡献|贡献者|(反馈|建议).{0,20}(使用|归)")),
    _type("copyright",
          (r"\bcopyrights?\b(?! (notice|licen[sc]e|and (permission|licen)))",
           r"copyright",
           r"(is|are) (protected by|subject to) (\w+,? ){0,6}copyright|(all )?copyrights? (in|to|of) (the|this|and).{0,80}(belong|remain|owned|retain|vest|held|are|is)|(owns?|retains?|holds?|reserves?) (\w+,? ){0,5}copyrights?\b"),
          (r"版权|著作权", r"版权|著作权", r"(版权|著作权)(归|属|由)|(享有|拥有|保留).{0,20}(版权|著作权)")),
    _type("data_protection",
          (r"privacy|personal (data|information)|data (protection|collection|processing|security|usage|use)|collection (and use )?of (information|data)|consent to (the )?use of data|\bcookies\b|internet-based services|information (we )?collect|security incident|sub-?processors?",
           r"data|privacy|information|personal",
           r"(collect|process|gather|transmit)\w* .{0,60}(personal(ly)?|technical data|information about (you|your)|diagnostic|usage data)|personal (data|information).{0,60}(process|collect|protect|us|transfer)|privacy (policy|statement|notice)"),
          (r"个人信息|隐私|数据(保护|安全|处理)", r"个人信息|隐私|数据", r"(处理|收集|使用|提供|保护|存储).{0,12}个人信息|个人信息(处理者|主体|安全)|隐私政策")),
    _type("definitions",
          (r"definition|\bdefined terms\b|\binterpretation\b(?! of law)|^construction$|^meaning of|^terminology",
           r"mean|refer|defin|include|interpret|heading|singular|construed|shall be|words|terms",
           r"^[\"“'‘]?[\w\"“”'‘’ /(),.-]{2,70}[\"”'’]\)? (shall )?(means?|refers? to|(shall )?includes?\b|is defined|has the meaning|denotes?|is any|is the)|following (terms|words|definitions)( \w+){0,6} (means?|meanings?|apply|shall)"
           r"|^as used (in|herein|throughout)|for (the )?purposes? of this (agreement|licen[sc]e|document)"),
          (r"定义|释义|术语|解释", r"指|是指|定义|含义|解释", r"^[“\"]?[^，。；]{1,24}[”\"]?[，,：:]?(是|系|均)?指|下列(词语|用语|术语).{0,12}(含义|定义)|本(法|条例|合同|协议|解释)所称")),
    _type("delivery",
          (r"\bdeliver(y|ies|ables?)\b|\bshipment|\bshipping\b|title and risk|risk of loss",
           r"deliver|ship|risk|title",
           r"(shall|will) (deliver|ship) (to|the|all)|(delivery|shipment) (of the|shall|will|date)|risk of loss"),
          (r"交付|交货|发货|运输|验收", r"交付|交货|发货|运输|验收", r"(应当?|须).{0,24}(交付|交货)|交(付|货)(时间|地点|方式|期限)|验收(合格|标准|期)")),
    _type("disclaimer_of_warranty",
          (r"disclaim|\bno (other |implied |express )?(warrant|guarantee|support or warrant)|\bwarranty (exclusion|disclaimer)|exclusion of (implied )?warrant|^as[ -]is\b|lack of warrant|without warrant|warrant(y|ies) excluded|no liability for warrant",
           r"warrant|guarant|as is|as-is|represent|fitness|disclaim|suitab",
           r"\bas[ -]is\b|without (any )?(\w+ ){0,5}warrant(y|ies)|disclaims? (any and )?(all )?(\w+,? ){0,6}(warrant|guarant|conditions)|no (express |implied |other )?(warrant|guarantee|representation)|(makes?|gives?|provides?|offers?|there (is|are)) no (\w+,? ){0,6}(warrant|representation|guarantee|claim)"
           r"|(does|do|shall|will|can|can) ?not (warrant|guarantee)\b|with all (its )?faults|entire risk as to|use (it )?at your own risk|not responsible for|(warrant(y|ies)|conditions?).{0,60}(are|is) (hereby )?(excluded|disclaimed)"),
          (r"免责|不作保证|不保证", r"保证|担保|免责|现状|责任", r"按(现状|原样)|不(作|做|提供).{0,16}(保证|担保)|不(保证|担保)|免责声明")),
    _type("dispute_resolution",
          (r"\bdisputes?\b|\barbitration\b|\bjurisdiction\b(?!s)|\bvenue\b|\bmediation\b|\blitigation\b|jury|\bforum\b|choice of (forum|court)|class action",
           r"disput|arbitrat|court|jurisdiction|venue|mediat|jury|litigat|action",
           r"(any|all) (\w+ ){0,4}(dispute|controversy|litigation|claim)s?\b.{0,120}(arbitrat|court|mediat|settle|resolv|brought)|(exclusive|personal|sole) (\w+ ){0,3}(jurisdiction|venue)|submit\w* to .{0,40}(jurisdiction|arbitration)|binding arbitration|courts? (of|in|located) .{0,60}(jurisdiction|venue|competent)"),
          (r"争议|仲裁|管辖|纠纷|诉讼", r"争议|仲裁|法院|纠纷|诉讼|协商", r"(争议|纠纷|争端).{0,40}(协商|仲裁|起诉|诉讼|法院)|仲裁委员会|向.{0,30}人民法院(提起诉讼|起诉)|有管辖权")),
    _type("entire_agreement",
          (r"entire (agreement|understanding|contract)|\bintegration\b|complete agreement|\bmerger\b|whole agreement|^(headings|counterparts)$",
           r"entire|complete|supersede|whole|prior|agreement",
           r"(constitutes?|is|are|contains?|comprises?|sets? forth|represents?) (\w+,? ){0,6}(entire|complete|whole|full) (\w+ ){0,4}(agreement|understanding|statement|licen[sc]e|contract)|supersedes? (and replaces? )?(all|any)|entire agreement"),
          (r"完整(协议|合同)|全部协议|整体协议", r"完整|全部|取代|替代", r"构成.{0,24}(完整|全部).{0,8}(协议|合同|约定|谅解)|取代.{0,24}(协议|约定|谅解|安排)")),
    _type("export_control",
          (r"\bexports?\b|\bembargo|sanctions|trade (control|compliance)|import/export",
           r"export|embargo|sanction|countr",
           r"\bexport(ed|ation)?,? (or |and )?(re-?export|control|law|regulation|restriction|administration|licen[sc]e|jurisdiction)|(may|shall|will|must) not (\w+,? ){0,5}export|united states export|export(ed)? or re-?export"),
          (r"出口管制|制裁|进出口|出口", r"出口|制裁|管制", r"出口(管制|限制|许可|控制)|制裁")),
    _type("fees_payment",
          (r"\bfees?\b(?!dback)|\bpayments?\b|\bpric(e|es|ing)\b|royalt(y|ies)\b|\btaxes\b|\binvoic|\bcompensation\b|\bcharges\b|\bbilling\b|\bexpenses\b|\brefunds?\b|\bconsideration\b|\bcosts\b",
           r"fee|pay|price|royalt|tax|invoice|charg|cost|refund|compensat|expens",
           r"(shall|will|must|agrees? to|may) (\w+ ){0,2}(pay|invoice|reimburse)\b|(fees?|payments?|invoices?|royalt\w+) (\w+ ){0,5}(due|payable|non-?refundable)|(responsible|liable) for (\w+,? ){0,5}tax|(you|licensee) (may|can) charge (a|any|for)|all (fees|prices|charges)"),
          (r"费用|付款|价款|支付|租金|报酬|价格|结算|税费|货款|工资|劳动报酬", r"支付|付款|费用|价|元|租金|报酬|税|工资", r"(应当?|须|需).{0,40}(支付|付清|缴纳).{0,24}(款|费|租金|报酬|价)|(付款|支付|结算)(方式|期限|时间|条件)|人民币.{0,24}元|总(价|金额)")),
    _type("force_majeure",
          (r"force majeure|acts? of god|excusable delay|unforeseen",
           r"control|force majeure|act of god|delay|perform",
           r"force majeure|acts? of god|(causes?|circumstances|events?) (\w+ ){0,3}beyond (\w+ ){0,3}reasonable control"),
          (r"不可抗力|情势变更", r"不可抗力|情势", r"不可抗力")),
    _type("government_use",
          (r"government|federal acquisition|restricted rights|\bdfars?\b|\bfar\b|u\.?s\.? (federal )?(public|agency)|commercial (computer software|items?)",
           r"government|federal|dfar|restricted rights|48 c\.?f\.?r|commercial",
           r"(u\.? ?s\.? |united states |federal )government .{0,200}(right|restrict|commercial|licen|use|end|agenc)|restricted rights|\bdfars?\b|48 c\.?f\.?r|commercial computer software|commercial items?\""),
          (r"政府(使用|采购|用户)", r"政府", r"政府(用户|机构|部门).{0,20}(使用|权利|许可)")),
    _type("governing_law",
          (r"governing (law|language)|applicable law|choice of law|^law$|\blaws? (and|of|applicable)|\bconflict of laws?|^legal effect",
           r"\blaws?\b|govern",
           r"(governed|construed|interpreted|controlled)( \w+,?){0,8} (by|in accordance with|under|according to|pursuant to)( \w+){0,6} (laws?|legislation|statutes?)\b|the laws? of .{0,80}(govern|appl)|is subject to the laws? of|united nations convention on contracts"),
          (r"适用法律|法律适用|准据法", r"法律", r"适用.{0,24}(法律|法)|受.{0,24}法律.{0,8}(管辖|约束)|依据.{0,20}法律(解释|执行)")),
    _type("indemnification",
          (r"indemni|hold harmless|\bdefen[sc]e of claims|third[- ]party claims",
           r"indemn|harmless|defend|claim",
           r"\b(shall|will|agrees? to|must|hereby) (\w+,? ){0,5}(indemnify|defend|hold (\w+ ){0,4}harmless)|indemnif(y|ies) (and|,) (defend|hold)|indemnify"),
          (r"^赔偿|补偿|损失赔偿|免受损害", r"赔偿|补偿|损失", r"使.{0,24}免受(损害|损失)|(应当?|须|负责).{0,24}赔偿.{0,24}(损失|损害)|承担.{0,8}赔偿责任")),
    _type("independent_contractors",
          (r"independent contractors?|relationship (of|between) (the )?parties|no (agency|partnership|joint venture)|^relationship",
           r"contractor|partner|agen|joint venture|employ|relationship",
           r"independent contractors?|(partnership|joint venture|agency|employment)( \w+,?){0,6} relationship|(create|constitut|deem|form)\w* .{0,60}(partnership|joint venture|agency)"),
          (r"独立(缔约|承包|合同)|双方关系|当事人关系", r"独立|代理|合伙|雇佣|劳动", r"独立(缔约|承包|合同)(方|人)|不构成.{0,20}(代理|合伙|合资|雇佣|劳动关系)")),
    _type("insurance",
          (r"\binsurance\b|insured", r"insur", r"(maintain|carry|obtain|procure)\w* .{0,60}insurance|insurance (policy|policies|coverage)|certificates? of insurance"),
          (r"保险", r"保险|投保", r"投保|购买.{0,12}保险|保险(费|金|单|责任|合同)")),
    _type("intellectual_property",
          (r"intellectual property|\bownership\b|\btitle\b|proprietary rights|reservation of rights|reserved rights|^(all )?rights reserved|retention of (rights|title)|work(s)? (made )?for hire|property rights|^rights (in|of)",
           r"own|title|right|propert|retain|reserv|licensed, not sold|invent",
           r"(retains?|reserves?|owns?|holds?) (\w+,? ){0,6}(title|ownership|all (\w+ )?rights|intellectual property|all right)|(title|ownership|intellectual property)( \w+,?){0,12} (remain|belong|vest|retain|owned)\w*|licensed,? (and )?not sold|(is|are|remains?) the (sole |exclusive )?property of|all (other )?rights .{0,40}(are )?reserved|no (title|ownership)"),
          (r"知识产权|权利归属|成果归属|所有权", r"知识产权|专利|著作权|所有权|归", r"知识产权.{0,24}(归|属|享有|所有)|(成果|作品|发明).{0,20}(归|属于).{0,12}(所有|享有)|侵犯.{0,16}知识产权")),
    _type("license_grant",
          (r"\bgrants?\b|^licen[sc]e$|licen[sc]e (grant|rights|and use|to use|terms?|scope)|^(scope of )?(the )?licen[sc]e(s)?( granted)?$|\bpermissions?\b|^(permitted|permissible|authori[sz]ed|allowed) use|scope of (licen[sc]e|rights|use)|rights granted|^use (of|rights)\b|installation and use|^you may\b|licen[sc]ed? (use|rights)|^usage( rights)?$|copyright licen[sc]e|^evaluation licen",
           r"grant|permi|licen[sc]e|may|right to use|allow",
           r"permission( is|,)? (hereby )?(granted|given|to use)|(hereby )?(grants?|granted|gives?) (\w+,? ){0,6}(a |an |the |permission|right|licen[sc]e|authori)(.{0,160}(licen[sc]e|right|permission|use|copy|modify|distribut)|\b)|^(you|anyone|everyone|licensee|users?) (may|can|are (free|allowed|permitted)|is (free|allowed|permitted)) (to )?(freely )?(use|copy|install|modify|do)|(is|are) (hereby )?(granted|licensed) (a|the|to you|under)|may be (freely )?(used|copied|distributed|redistributed|modified)|free (software|for (any|all|use))"),
          (r"许可|授权|授予", r"许可|授权|授予|使用", r"授予.{0,40}(许可|权利|使用)|(许可|授权).{0,24}(使用|复制|修改|实施)|(普通|独占|排他)(实施)?许可")),
    _type("limitation_of_liability",
          (r"limit(ation|s|ed|ing)? (of|on|to) (\w+ )?(liabilit|damage|remed)|\bliabilit(y|ies)\b|exclusion of .{0,30}damages|consequential damages|\bdamages\b|limited remed|no liability",
           r"liab|damage|responsib|exceed",
           r"(in no event|under no circumstances?|in no case|neither|nor|shall not|will not|cannot|not) .{0,160}\b(liable|liability|responsible)\b|(aggregate|total|maximum|cumulative|entire) (\w+ ){0,3}liability|(consequential|incidental|indirect),? .{0,40}damages|limitation of liability|no liability|liability (is|shall be) (limited|excluded)"),
          (r"责任(限制|的限制|上限|范围|限额)|赔偿(上限|限额)", r"责任|赔偿", r"(赔偿|责任).{0,16}(不超过|上限|以.{0,16}为限)|不(承担|负).{0,16}(间接|附带|后果性)|在任何情况下.{0,20}不(承担|负)")),
    _type("non_compete",
          (r"non-?compet|\bexclusivity\b|competi(ng|tion|tive)|restrictive covenant", r"compet|exclusiv",
           r"(shall|will|may|agrees?) not .{0,80}\bcompet|non-?competition|compet(e|es|ing|itive) (with|product|business)"),
          (r"竞业|同业竞争|不竞争|排他", r"竞业|竞争|排他", r"竞业(限制|禁止)|同业竞争|不得.{0,40}(竞争|同类(业务|产品))")),
    _type("non_solicitation",
          (r"non-?solicit|\bsolicitation\b|no[- ]hire", r"solicit|hire|employ", r"(shall|will|may|agrees?) not .{0,80}(solicit|hire|recruit|entice)"),
          (r"禁止招揽|不招揽|不得招揽|挖角", r"招揽|聘用|雇用|引诱", r"不得.{0,40}(招揽|引诱|挖|劝诱).{0,20}(员工|雇员|客户|人员)?")),
    _type("notices",
          (r"^(legal |written |formal )?notices?$|^notices? (and|to|under|;|provision)|\bcommunications?\b|addresses for notice|^contact( information)?$",
           r"address|mail|deliver|writing|written|sent|given|contact|receiv",
           r"notices?\b.{0,120}(shall|must|will|may) be (\w+ ){0,3}(in writing|given|sent|delivered|made|deemed|written)|(questions|inquir\w+|requests?)\b.{0,60}(contact|write to|directed|addressed|mail)"),
          (r"通知|送达|联系方式", r"通知|送达|地址|邮", r"(通知|函件|文书).{0,30}(书面|送达|邮寄|发送|地址)|送达(地址|方式)|视为(已经?)?送达")),
    _type("patents",
          (r"\bpatents?\b", r"patent",
           r"patent (licen[sc]e|litigation|claims?|rights|infring|grant)|(grants?|licen[sc]e)\w* .{0,100}\bpatent|\bpatents?\b.{0,80}(licen|infring|claim|grant|court)"),
          (r"专利", r"专利", r"专利(权|申请|许可|实施)")),
    _type("redistribution",
          (r"distribut|\bcopying\b|conveying|\bcopies\b|sublicens|derivative works?|modified versions|\bmodifications?\b(?! (of|to) (this|the) (agreement|licen[sc]e))|reproduction|^publication|larger works?|aggregat|\bcombin(ed|ing|ation)\b",
           r"distribut|cop(y|ies)|convey|redistribut|deriv|modif|sublicen|reproduc|publish|combin|aggregat",
           r"redistributions? (of|in|must)|^(you|licensee|anyone|users?) (may|must|can|shall|are|agree)( \w+,?){0,8} (re)?(distribut|convey|sublicens|copy and distribut|modify)\w*|^if you (\w+ ){0,3}(distribute|convey|redistribute|publish|modify|make)|(re)?distribut(e|ion|ed|ing)\b.{0,120}(provided|condition|must|only|permitted|allowed)|may (\w+ ){0,3}(distribute|redistribute|copy and distribute|sublicense)|when you (\w+ ){0,2}(convey|distribute)|modified (versions?|files|copies|works?)( \w+,?){0,8} (must|may|shall)"),
          (r"再分发|分发|复制|传播|发布", r"分发|复制|传播|发布", r"(再)?分发.{0,30}(副本|软件|作品|版本)|复制.{0,8}(和|并|或).{0,8}(分发|传播|发行)")),
    _type("restrictions",
          (r"restrict|prohibit|limitations? (on|of) (use|licen|reverse)|limited (use|rights)|reverse engineer|not permitted|unacceptable|^you (may|shall|must|agree) not|^(acceptable|fair) use|high.?risk|^additional limitations|^limits|^conditions$|^use limitations|obligations of (the )?(licensee|user)|competitive analysis|benchmark",
           r"not|only|prohibit|restrict|without",
           r"^(you|licensee|customer|the licensee|end user|user|recipient|except)\b.{0,80}(may|shall|must|will|agrees?|should|can) ?not (\w+,? ){0,4}(use|copy|modify|reverse|decompil|disassembl|rent|lease|sell|sublicens|distribut|transfer|remove|attempt|permit|disclose|make|create|work)|(may|shall|must|will|agree) not .{0,40}(reverse[ -]engineer|decompile|disassemble|rent|lease)|reverse[ -]engineer(ing)?|not (designed|intended|authori[sz]ed|licensed) (\w+ ){0,3}(for|to be)\b.{0,80}(nuclear|life|hazard|aircraft|safety|medical|critical)|(use|used) .{0,40}(is|are) (strictly )?(prohibited|forbidden)|non-?commercial (use|purposes) only"),
          (r"限制|禁止|不得", r"不得|禁止|限制|不能", r"^[^。；]{0,16}不得(使用|从事|实施|复制|修改|出租|反向|对|将|以)|禁止.{0,20}(使用|反向工程|反编译)")),
    _type("severability",
          (r"severab|\binvalidity\b|partial invalidity|unenforceab|\bseverance\b", r"invalid|unenforce|illegal|sever|void",
           r"(provision|part|portion|term|clause|section|paragraph)s?\b.{0,160}(invalid|unenforceable|illegal|void).{0,160}|severab(le|ility)"),
          (r"可分割|部分无效|条款(的)?独立", r"无效|可分割|不可执行", r"(条款|部分|规定).{0,30}(无效|不可执行|被撤销).{0,40}(其他|其余|不影响)")),
    _type("source_code",
          (r"source code|\bsource\b|corresponding source|open source requirement|object code", r"source",
           r"(source code|corresponding source|source form)( \w+,?){0,10} (must|available|accompany|shall|provid|mean|includ)|(provide|include|make|obtain|offer|accompan)\w* .{0,60}source code|escrow"),
          (r"源代码|源码", r"源代码|源码", r"(提供|公开|交付|披露).{0,16}源(代)?码|源(代)?码.{0,16}(提供|公开|交付|归)")),
    _type("support_maintenance",
          (r"\bsupport\b(?! or warrant)|maintenance|\bupdates?\b|\bupgrades?\b|technical assistance|service level|\benhancements?\b|supplements", r"support|mainten|maintain|updat|upgrad|assist|correct|enhanc|supplement",
           r"(provide|entitle|obligat|offer|receive|furnish)\w* .{0,80}(support|maintenance|updates?|upgrades?|technical assistance)|(support|maintenance) services|(updates?|upgrades?|supplements?)\b.{0,60}(licen|provid|govern|subject|replace)"),
          (r"支持|维护|维修|升级|更新|售后|质保", r"支持|维护|维修|升级|更新|保修|售后", r"(提供|负责).{0,20}(技术支持|维护|维修|保修|升级)|(保修|质保)期|技术支持")),
    _type("survival",
          (r"surviv", r"surviv", r"\b(shall|will) survive\b|survive (any |the )?(termination|expiration)"),
          (r"存续|继续有效", r"有效|存续", r"(终止|解除|届满).{0,30}(继续|仍然?)有效")),
    _type("term",
          (r"^(the )?(initial )?terms?( of (the )?(licen[sc]e|agreement|contract))?$|\bduration\b|\brenewal|effective date|^term( and|,|;)|license period|^(evaluation|subscription|trial|test) (period|term)|commencement|^effectiveness",
           r"term\b|effective|period|until|expire|renew|duration|perpetual|year|month|days",
           r"(agreement|licen[sc]e)( \w+,?){0,4} (is|are|shall be|will be|becomes?|remains?|shall become|shall remain|shall commence|commences?|will remain|takes effect) (\w+ ){0,2}(effective|in (full )?force|in effect|on the|perpetual)|initial term|automatically renew"),
          (r"期限|有效期|期间|续约|续签", r"期限|有效期|年|月|日|届满", r"(有效期|期限)(为|自|至|是|限)|自.{0,30}起至.{0,30}止|期限届满|(有效期|期限).{0,16}(年|个月|日)")),
    _type("termination",
          (r"terminat|cancel?lation|\bexpir(y|ation)\b|\brevocation\b|\brescission\b",
           r"terminat|cancel|expir|cease|revo",
           r"(licen[sc]e|agreement|rights?|permissions?)( \w+,?){0,10} (terminat|cease|expir|revoked)\w*|(may|shall|will) (\w+ ){0,3}(terminate|cancel)\b|upon (\w+ ){0,3}(termination|expiration)|terminates? (automatically|immediately)|effective until (it is )?(terminated|you)"),
          (r"终止|解除|撤销|取消", r"终止|解除|撤销|取消", r"(有权|可以?|可).{0,20}(解除|终止).{0,8}(合同|协议|劳动)|(合同|协议)(自.{0,16})?(终止|解除)|单方(解除|终止)")),
    _type("third_party_software",
          (r"third[- ]part(y|ies) (software|materials?|components?|code|content|products?|services?|technolog|licen|program|item|notice|application|web|sites?|link)|open source (software|components?|code|material)|^third[- ]part(y|ies)$|bundled|^(links|linked)|incorporated|additional software|other software|\bexcluded licen",
           r"third|open source|separate|bundle|other|link|compon",
           r"third[- ]part(y|ies) (software|materials?|components?|code|content|products?|technolog|licens)|(contains?|includes?|incorporates?|bundled) .{0,60}(third[- ]party|open source|software (developed|written|from))"),
          (r"第三方", r"第三方|开源", r"第三方(软件|组件|代码|服务|产品|内容)|开源(软件|组件|代码)")),
    _type("trademarks",
          (r"trade ?-?marks?|\blogos?\b|trade names?|service marks?|publicity|use of (the )?names?|\bnames?\b|branding|endors|\badvertis|\bmarks\b|press release",
           r"mark|name|logo|endors|publicity|brand|advertis",
           r"(neither|nor)? ?(the )?names? (of|and|\")?.{0,160}(endorse|promote|advertis|publicity|appear|may not be|must not)|trade ?marks?\b.{0,120}(licen|right|grant|use|permission|own|property|logo)|(not|to) (\w+ ){0,4}use (\w+ ){0,6}(trade ?marks?|trade names?|logos?|name)|may (not be called|appear in their name)|endorse or promote"),
          (r"商标|标识|商号|名称使用|字号", r"商标|标识|商号|名称|字号", r"(使用|许可).{0,16}(商标|标识|商号|字号)|商标(权|专用权|许可|所有)")),
    _type("waiver",
          (r"\bwaivers?\b|no waiver|non-?waiver|\bforbearance\b", r"waive|failure|relinquish",
           r"(failure|delay|forbearance)\b.{0,120}(waiv|relinquish)|no waiver|waiver of (any|a|one)|(shall|will) not (\w+ ){0,4}(constitute|be (construed|deemed|considered)) (\w+ ){0,3}waiver"),
          (r"弃权|放弃", r"放弃|弃权|不行使|未行使", r"(未|不|延迟|迟延)行使.{0,30}(不|放弃|弃权)|(不构成|不视为|不得视为).{0,20}(放弃|弃权)")),
    _type("warranty",
          (r"\bwarrant(y|ies)\b|\bguarant(y|ee)s?\b|representations?\b|\bcovenants\b",
           r"warrant|guarant|represent|defect|conform",
           r"(?<!not )(hereby )?(represents? and )?warrants? (that|to|for|the)|limited warranty|for a period of .{0,60}(warrant|free from|defect)|free from (\w+ ){0,3}defects|represents? (and|that) "),
          (r"保证|担保|承诺|陈述|质量", r"保证|担保|承诺|质量|标准", r"(保证|承诺|担保)(其|所|：|:|,|，|本|对|在)|质量(标准|要求|应)|陈述(和|与|并)保证")),
)
CLAUSE_TYPES: dict[str, ClauseType] = {clause_type.key: clause_type for clause_type in _TYPES}


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE)


def type_of(heading: str, text: str, language: Language) -> str | None:
    """The key of the clause's type, or None where heading and text leave a doubt.

    A heading of one type decides if the text has the type's theme. Where the heading names several types, or none, the
    text decides: the type whose own phrase opens it first.
    """
    title, body = " ".join(heading.split()), " ".join(text.split())
    named = [key for key, kind in CLAUSE_TYPES.items()
             if title and _pattern(kind.signs[language].heading).search(title) and _pattern(kind.signs[language].theme).search(body)]
    if len(named) == 1:
        return named[0]
    opening = body[:OPENING[language]]
    told = [(found.start(), found.end(), key) for key in (named or CLAUSE_TYPES)
            if (found := _pattern(CLAUSE_TYPES[key].signs[language].body).search(opening))]
    return min(told)[2] if told else None
